// The reader of what stands under a state's key: whatever the bytes are, it reads exactly what was written, or says in
// a few words why not. It never throws, and never shows what it found.

import fc from "fast-check";
import { deepStrictEqual, ok } from "node:assert/strict";

import { readState } from "../../../src/backends/redis/protocol/envelope.ts";
import { pure } from "./harness.ts";

const digits = fc.oneof(
  fc.nat().map(String),
  fc.constantFrom("0", "00", "-1", "1e9", "NaN", "1.5", "", "9007199254740991", "9007199254740993"),
  fc.integer({ min: 1, max: 130 }).map((length) => "9".repeat(length)),
);
const serializerName = fc.oneof(
  fc.constantFrom("json", "", "a b", "jsön", "../x", "__proto__", "constructor", "json\r"),
  fc.integer({ min: 1, max: 140 }).map((length) => "s".repeat(length)),
);
const format = fc.constantFrom("hf1", "hf2", "hf10", "hf", "HF1", "hf01", " hf1", "\0hf1", "hf1\0");
const separator = fc.constantFrom(" ", " ", " ", "  ", "\t", "", "\n");
const end = fc.constantFrom("\n", "\n", "\n", "", "\r\n", " \n", "\0\n");

/** Heads that are right, or nearly so. */
const head = fc
  .tuple(format, separator, digits, separator, serializerName, end)
  .map((parts) => Buffer.from(parts.join("")));
const rightHead = fc.tuple(fc.nat(), fc.constantFrom("json", "text.v-2", "a_b")).map(([revision, name]) => {
  return Buffer.from(`hf1 ${String(revision)} ${name}\n`);
});
const stored = fc
  .tuple(
    fc.oneof(head, rightHead, rightHead),
    fc.uint8Array({ maxLength: 200 }),
    fc.nat(300),
    fc.nat(255),
    fc.nat(9),
  )
  .map(([start, rest, at, byte, what]) => {
    const bytes = Buffer.concat([start, rest]);
    if (what === 0 && bytes.length > 0) bytes[at % bytes.length] = byte;
    return what === 1 ? bytes.subarray(0, at % (bytes.length + 1)) : bytes;
  });

const property = fc.property(
  fc.oneof({ weight: 9, arbitrary: stored }, fc.uint8Array().map(Buffer.from)),
  (bytes) => {
    const before = Buffer.from(bytes);
    const state = readState(bytes);
    deepStrictEqual(bytes, before);
    ok(state !== null, "what is there is not absent [S1]");
    if ("unreadable" in state) {
      ok(
        /^(format hf\d+|data that Holdfast did not write)$/.test(state.unreadable) &&
          state.unreadable.length < 150,
      );
      ok(!/^hf1 [1-9]\d{0,14} [\w.-]{1,32}\n/.test(bytes.toString("latin1")), "what we write is read");
      return;
    }
    const { revision, serializer, bytes: value } = state;
    ok(Number.isSafeInteger(revision), `no revision: ${String(revision)}`);
    const written = bytes.toString("latin1", 0, bytes.length - value.length);
    ok(new RegExp(`^hf1 0*${String(revision)} ${serializer.replaceAll(".", "\\.")}\n$`).test(written));
  },
);

export const envelope = pure("envelope", 0.25, property);
