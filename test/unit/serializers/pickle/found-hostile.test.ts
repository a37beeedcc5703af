// Programs that review found to take a reader of pickles more than linear time or space. What is asserted is that they are
// refused, or that they are read: without their limits, they take from seconds to days.

import { Buffer } from "node:buffer";
import { expect, test } from "vitest";

import { CorruptStateError } from "../../../../src/errors.ts";
import { pickle, PyDateTime, PyTimeZone } from "../../../../src/pickle.ts";

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const program = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? latin1(part) : part)));
const read = (...parts: (string | Buffer)[]): unknown => pickle.deserialize(program(...parts));

function opcodeWith(code: string, size: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(1 + size, code, "latin1");
  write(bytes);
  return bytes;
}
const float = (value: number): Buffer => opcodeWith("G", 8, (bytes) => bytes.writeDoubleBE(value, 1));
const int32 = (value: number): Buffer => opcodeWith("J", 4, (bytes) => bytes.writeInt32LE(value, 1));
/** 2^64 and the lowest word. */
const bigint = (word: bigint): Buffer => {
  const bytes = opcodeWith("\x8a", 10, (all) => all.writeBigUInt64LE(word, 2));
  bytes.set([9], 1);
  bytes.set([1], 10);
  return bytes;
};

/** What V8 makes the hash `number << 30` of, of which it uses the lowest 30 bits. */
function preimage(number: number): bigint {
  const mask = (1n << 64n) - 1n;
  const unshifted = (value: bigint, by: bigint): bigint => {
    let found = value;
    for (let bits = by; bits < 64n; bits += by) found = value ^ (found >> by);
    return found;
  };
  const inverse = (factor: bigint): bigint => {
    let found = 1n;
    for (let bits = 1; bits < 64; bits *= 2) found = (found * (2n - factor * found)) & mask;
    return found;
  };
  let hash = unshifted(BigInt(number) << 30n, 22n);
  hash = unshifted((hash * inverse(65n)) & mask, 11n);
  hash = unshifted((hash * inverse(21n)) & mask, 31n);
  return ((hash + 1n) * inverse((1n << 18n) - 1n)) & mask;
}

function collidingFloats(count: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  const found: number[] = [];
  for (let number = 1; found.length < count; number += 1) {
    view.setBigUint64(0, preimage(number));
    const value = view.getFloat64(0);
    if (Number.isFinite(value) && !Number.isInteger(value)) found.push(value);
  }
  return found;
}

function collidingIntegers(count: number): number[] {
  const found: number[] = [];
  for (let number = 1; found.length < count; number += 1) {
    let hash = (~number + (number << 15)) | 0;
    hash ^= hash >>> 12;
    hash = (hash + (hash << 2)) | 0;
    hash ^= hash >>> 4;
    hash = Math.imul(hash, 2057);
    if (((hash ^ (hash >>> 16)) & 0xfff) === 0) found.push(number);
  }
  return found;
}

const hostileKeys: Readonly<Record<string, Buffer[]>> = {
  floats: collidingFloats(7000).map(float),
  integers: collidingIntegers(7000).map(int32),
  "long integers": Array.from({ length: 5000 }, (_, number) => bigint(preimage(number))),
};

test.each(Object.entries(hostileKeys))(
  "%s whose hashes agree are no keys of one dict or set [S6]",
  (_, keys) => {
    const entries = Buffer.concat(keys.flatMap((key) => [key, latin1("N")]));
    for (const hostile of [
      program("}(", entries, "u."),
      program("\x8f(", ...keys, "\x90."),
      program("(", ...keys, "\x91."),
      program("c__builtin__\nset\n](", ...keys, "e\x85R."),
    ]) {
      expect(() => pickle.deserialize(hostile)).toThrow(/numbers for keys whose hashes agree/);
    }
  },
);

test("a few of them are keys, and so are very many others", () => {
  const few = Object.values(hostileKeys).flatMap((keys) => keys.slice(0, 1000));
  expect((read("\x8f(", ...few, "\x90.") as Set<unknown>).size).toBe(3000);
  const numbers = Array.from({ length: 50_000 }, (_, index) => [int32(index * 4096), float(index + 0.1)]);
  expect((read("\x8f(", Buffer.concat(numbers.flat()), "\x90.") as Set<unknown>).size).toBe(100_000);
});

test("the same key of many is looked up as often as is allowed", () => {
  const keys = hostileKeys["floats"]?.slice(0, 3000) ?? [];
  const again = Array.from({ length: 20_000 }, () => latin1("h\0"));
  expect(() => read("\x8f(", keys[0] ?? "", "q\0", ...keys, ...again, "\x90.")).toThrow(CorruptStateError);
});

const megabyte = 1_000_000;
const longBytes = program(
  opcodeWith("B", 4, (bytes) => bytes.writeUInt32LE(megabyte, 1)),
  Buffer.alloc(megabyte, 1),
  "q\0",
);
const longInteger = program(
  opcodeWith("\x8b", 4, (bytes) => bytes.writeUInt32LE(megabyte, 1)),
  Buffer.alloc(megabyte, 1),
  "q\0",
);
const repeated = (text: string, count: number): Buffer => latin1(text.repeat(count));

test("the same bytes are a key a hundred thousand times", () => {
  const dict = read(longBytes, "0}(", repeated("h\0N", 100_000), "u.") as Map<unknown, unknown>;
  expect(dict.size).toBe(1);
  const tuples = read(longBytes, "0}(", repeated("h\0\x85N", 100_000), "u.") as Map<unknown, unknown>;
  expect(tuples.size).toBe(1);
});

test.each([
  ["keys of a dict", program(longInteger, "0}(", repeated("h\0N", 100_000), "u.")],
  ["parts of keys", program(longInteger, "0}(", repeated("h\0\x85N", 100_000), "u.")],
  ["from the memo", program(longInteger, "0](", repeated("h\0", 100_000), "e.")],
  ["doubled", program("](", longInteger, repeated("2", 100_000), "e.")],
  [
    "from the memo, at a high index",
    program(longInteger, "r\0\0\0\x800](", repeated("j\0\0\0\x80", 100_000), "e."),
  ],
])("a long integer is not repeated a hundred thousand times: %s", (_, hostile) => {
  expect(() => pickle.deserialize(hostile)).toThrow(/the same large integers too often/);
});

test("a long integer is repeated a few times", () => {
  const list = read(longInteger, "0](", repeated("h\0", 10), "e.") as bigint[];
  expect(new Set(list).size).toBe(1);
});

test("indexes of the memo whose hashes agree are like any others", () => {
  const puts = collidingIntegers(2000).map((index) => opcodeWith("r", 4, (b) => b.writeUInt32LE(index, 1)));
  expect(read("K\x07", ...puts, ".")).toBe(7);
});

test("a long name of a zone is written once, for many dates", () => {
  const name = "z".repeat(megabyte);
  const dates = Array.from({ length: 5000 }, () => {
    const tzinfo = new PyTimeZone(PyTimeZone.utc.offset, name);
    return new PyDateTime({ year: 2026, month: 1, day: 1, tzinfo });
  });
  expect(pickle.serialize(dates).length).toBeLessThan(2 * megabyte);
});
