// sealed(): what it takes, what it shows of keys, and the envelope.

import { createDecipheriv, createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { inspect } from "node:util";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  InvalidArgumentError,
  json,
  open,
  sealed,
  type SealKey,
  type Serializer,
} from "../../../../src/index.ts";
import { asItIs, newKey } from "../../../integration/sealing/stores.ts";

const raw = randomBytes(32);
const withKeys = (keys: unknown) => () => sealed("json", { keys: keys as SealKey[] });

describe("[P2] keys", () => {
  test.each([
    ["bytes", raw],
    ["hexadecimal digits", raw.toString("hex")],
    ["capital digits", raw.toString("hex").toUpperCase()],
    ["base64", raw.toString("base64")],
    ["a KeyObject", createSecretKey(raw)],
  ])("the same key as %s reads the same value", async (_, key) => {
    const store = open("memory:");
    await store.state("x", { serializer: sealed("json", { keys: [{ id: "a", key: raw }] }) }).save([1]);
    expect(
      await store.state("x", { serializer: sealed("json", { keys: [{ id: "a", key }] }) }).load(),
    ).toEqual([1]);
  });

  test("bytes that the caller wipes afterwards are kept", async () => {
    const key = Buffer.from(raw);
    const state = open("memory:").state("x", { serializer: sealed("json", { keys: [{ id: "a", key }] }) });
    await state.save([1]);
    key.fill(0);
    expect(await state.load()).toEqual([1]);
  });

  const { privateKey } = generateKeyPairSync("ed25519");
  test.each([
    ["31 bytes", raw.subarray(1)],
    ["33 bytes", Buffer.concat([raw, raw.subarray(0, 1)])],
    ["a password", "correct horse battery staple"],
    ["base64url", raw.toString("base64url")],
    ["base64 with bits left over", `${"A".repeat(42)}B=`],
    ["63 digits", raw.toString("hex").slice(1)],
    ["hex with a line feed", `${raw.toString("hex")}\n`],
    ["a KeyObject of 16 bytes", createSecretKey(raw.subarray(16))],
    ["a private key", privateKey],
    ["a list", [...raw]],
    ["a number", 5],
    ["null", null],
  ])("%s is refused, and not shown", (_, key) => {
    expect(withKeys([{ id: "a", key }])).toThrow(InvalidArgumentError);
    expect(withKeys([{ id: "a", key }])).toThrow(/^keys\[0\]\.key must be 32 bytes:.*openssl rand/);
    if (typeof key === "string") expect(withKeys([{ id: "a", key }])).not.toThrow(key.trim());
  });

  const key = raw;
  test.each([
    [[], /1 to 100 keys; got 0/],
    [Array.from({ length: 101 }, (_, index) => ({ id: `k${index}`, key })), /1 to 100 keys; got 101/],
    [{ id: "a", key }, /keys must be a list/],
    [undefined, /needs \{ keys \}/],
    [
      [
        { id: "a", key },
        { id: "b", key },
        { id: "a", key: randomBytes(32) },
      ],
      /the id "a" twice/,
    ],
    [[{ key }], /keys\[0\] must have both/],
    [[{ id: "a", key }, { id: "a2" }], /keys\[1\] must have both/],
    [[{ id: "", key }], /keys\[0\]\.id must be 1 to 32 characters/],
    [[{ id: "a b", key }], /keys\[0\]\.id must be 1 to 32 characters/],
    [[{ id: "x".repeat(33), key }], /got a text of 33 characters/],
    [[{ id: 1, key }], /keys\[0\]\.id/],
    [[{ id: "a", key, secret: true }], /has no option "secret"/],
    [[key], /keys\[0\]/],
  ])("keys %#", (keys, message) => {
    expect(withKeys(keys)).toThrow(InvalidArgumentError);
    expect(withKeys(keys)).toThrow(message);
  });

  test("a key in a wrong place is not shown", () => {
    const text = raw.toString("hex");
    const calls = [
      () => sealed("json", text as never),
      () => sealed("json", { keys: text as never }),
      () => sealed("json", { keys: [text as never] }),
      () => sealed("json", { keys: [{ id: text, key: raw }] }),
      () => sealed("json", { keys: [{ id: "a", key: `${text}0` }] }),
    ];
    for (const call of calls) {
      expect(call).toThrow(InvalidArgumentError);
      expect(call).not.toThrow(text.slice(0, 8));
    }
  });

  test("[P3] nothing that is logged shows a key", () => {
    const serializer = sealed("json", { keys: [{ id: "a", key: raw }] });
    const shown = inspect(serializer, { depth: 10, showHidden: true });
    for (const form of [raw.toString("hex"), raw.toString("base64"), raw.subarray(0, 4).join(", ")])
      expect(shown).not.toContain(form);
  });
});

describe("[P2] the inner serializer", () => {
  const { key } = newKey("a");
  const keys = [{ id: "a", key }];
  const named = (name: string): Serializer => ({ ...json, name });

  test("its name is part of the name, and so has at most 25 characters", () => {
    expect(sealed("text", { keys }).name).toBe("sealed-text");
    expect(sealed(named("n".repeat(25)), { keys }).name).toHaveLength(32);
    expect(() => sealed(named("n".repeat(26)), { keys })).toThrow(/at most 25 characters/);
  });

  test("what is sealed is not sealed again, and no serializer is refused", () => {
    expect(() => sealed(sealed("json", { keys }), { keys })).toThrow(/sealed already/);
    expect(() => sealed("yaml" as "json", { keys })).toThrow(/^inner must be "json"/);
  });

  test("it cannot be called or wrapped, so nothing is stored in clear by mistake", async () => {
    const serializer = sealed("json", { keys });
    expect(() => serializer.serialize({})).toThrow(/cannot be called or wrapped/);
    expect(() => serializer.deserialize(new Uint8Array())).toThrow(InvalidArgumentError);
    const spread = { ...serializer, name: "mine" };
    const call = open("memory:").state("x", { serializer: spread }).save({});
    await expect(call).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("the envelope", () => {
  const keys = [newKey("2026-11")];

  test("is the one that is documented", async () => {
    const store = open("memory:");
    await store.state("user:é", { serializer: sealed("json", { keys }) }).save({ a: 1 });
    const stored = Buffer.from(
      (await store.state<Uint8Array>("user:é", { serializer: asItIs("sealed-json") }).load()) ?? [],
    );
    const head = Buffer.from("\x01\x072026-11", "latin1");
    expect(stored.subarray(0, 9)).toEqual(head);
    const decipher = createDecipheriv("aes-256-gcm", keys[0]?.key ?? raw, stored.subarray(9, 21));
    decipher.setAAD(Buffer.concat([head, Buffer.from("sealed-json\0user:é")]));
    decipher.setAuthTag(stored.subarray(-16));
    expect(`${decipher.update(stored.subarray(21, -16)).toString()}${decipher.final("utf8")}`).toBe(
      '{"a":1}',
    );
  });

  test("maxStateBytes counts the value, also of several states together", async () => {
    const store = open("memory:", { serializer: sealed("bytes", { keys }), maxStateBytes: 100 });
    const [a, b] = [store.state<Uint8Array>("a"), store.state<Uint8Array>("b")];
    await a.save(new Uint8Array(100));
    expect(await a.load()).toHaveLength(100);
    await expect(a.save(new Uint8Array(101))).rejects.toMatchObject({ code: "SERIALIZATION", id: "a" });
    await store.transact([a, b], (drafts) => void (drafts[0] = drafts[1] = new Uint8Array(50).fill(1)));
    const tooMuch = store.transact([a, b], (drafts) => void (drafts[0] = drafts[1] = new Uint8Array(51)));
    await expect(tooMuch).rejects.toMatchObject({ code: "SERIALIZATION" });
  });

  test("any value of any id comes back, and its text is not in what is stored", async () => {
    const store = open("memory:");
    const serializer = sealed("json", { keys: [...keys, newKey("old")] });
    const anyId = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
      .filter((id) => !/\p{Cc}/u.test(id));
    const marked = fc.jsonValue().map((value) => ({ value, marker: "find-me-in-clear" }));
    await fc.assert(
      fc.asyncProperty(anyId, marked, async (id, value) => {
        const state = store.state<typeof value>(id, { serializer });
        await state.save(value).catch((error: unknown) => fc.pre((error as Error).message === ""));
        expect(await state.load()).toEqual(value);
        const stored = await store.state<Uint8Array>(id, { serializer: asItIs("sealed-json") }).load();
        expect(Buffer.from(stored ?? []).includes("find-me-in-clear")).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});
