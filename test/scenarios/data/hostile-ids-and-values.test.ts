// Ids and values that are made to hurt are refused at the door with a reason, or kept exactly, on real storages
// and between two stores. What each is refused with, in full: test/unit/store/options.test.ts and test/unit/serializers/json.test.ts.
//
// Seen failing with the defence taken out:
// - src/options.ts does not look for lone surrogates, or control characters, or a leading brace: "refused at the door";
// - src/serializers/json.ts writes without walking the value first: NaN, -Infinity, -0, __proto__ and the Map;
// - src/updates/codec.ts does not compare with maxStateBytes: both tests of 100 MB.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";

vi.setConfig({ testTimeout: 60_000 });

const mebibyte = 1024 * 1024;

const keptIds = [
  "__proto__",
  "constructor",
  "{x}",
  "{",
  "a}b{c",
  "x}",
  " ",
  "a b",
  "ä€😀",
  "\u202etxt.exe",
  "😀".repeat(128),
  "x".repeat(512),
  "%00",
  "'\";-- DROP TABLE states",
  "../../etc/passwd",
  "*?[x]\\",
  "$(id)`id`",
  "a:b",
  "hf1 1 json",
  "-1",
];

const refusedIds = [
  "",
  "}",
  "}x",
  "a\nb",
  "a\rb",
  "a\0",
  "\u0085",
  "\u007f",
  "\ud800",
  "x\udc00y",
  "x".repeat(513),
  "😀".repeat(129),
  "x".repeat(mebibyte),
];

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
}

const keptValues: unknown[] = [
  null,
  false,
  0,
  "",
  [],
  {},
  { "": "", constructor: { prototype: { polluted: 1 } }, hasOwnProperty: 1, toString: "x", then: "x" },
  'hf1 1 json\n{"a":1}',
  "\0\u0001\n\r\u2028\u2029\ufeff\\\"'",
  "}{[]%s%00😀\u202e",
  [Number.MAX_SAFE_INTEGER, Number.MIN_VALUE, Number.MAX_VALUE, 1e-7, 0.1 + 0.2],
  nested(500),
  Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`${String(n)}\n`, n])),
  "x".repeat(5 * mebibyte),
];

const cycle: Record<string, unknown> = {};
cycle["self"] = [cycle];
const withProto = JSON.parse('{"__proto__":{"polluted":1}}') as object;

const refusedValues: readonly [string, unknown][] = [
  ["NaN", { a: [NaN] }],
  ["-Infinity", -Infinity],
  ["-0", [-0]],
  ["a bigint", { n: 1n }],
  ["a cycle", cycle],
  ["a lone surrogate", "a\ud800"],
  ["a lone surrogate in a key", { "\udc00": 1 }],
  ["the key __proto__", withProto],
  ["10 000 levels", nested(10_000)],
  ["a Map", new Map([[1, 1]])],
  ["100 MB", "x".repeat(100 * mebibyte)],
];

async function idsOf(list: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids.sort();
}

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    let other: Store;
    beforeAll(async () => {
      backend = await served[name]();
      [store, other] = [open(backend.url), open(backend.url)];
      await Promise.all([store.ready(), other.ready()]);
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
      await backend.end();
    });

    test("[S1] [L1] each hostile id that is taken is an id of its own, for states and for locks", async () => {
      for (const [n, id] of keptIds.entries()) await store.state<number>(id).save(n);
      for (const [n, id] of keptIds.entries()) expect(await other.state(id).load()).toBe(n);
      expect(await idsOf(other.states())).toEqual([...keptIds].sort());

      const grants = await Promise.all(keptIds.map((id) => store.lock(id).tryAcquire()));
      expect(grants.map((grant) => grant?.id)).toEqual(keptIds);
      for (const id of keptIds) expect(await other.lock(id).tryAcquire()).toBeNull();
      expect(await idsOf(other.locks())).toEqual([...keptIds].sort());
      for (const grant of grants) expect(await grant?.release()).toBe(true);
    });

    test("[S1] every other id is refused at the door, shortly and with a reason; nothing is stored", async () => {
      const before = await idsOf(other.states());
      for (const id of refusedIds) {
        for (const use of [() => store.state(id), () => store.lock(id)]) {
          expect(use).toThrow(
            expect.objectContaining({
              code: "INVALID_ARGUMENT",
              message: expect.stringMatching(/^.{20,300}$/) as unknown,
            }),
          );
        }
      }
      expect(await idsOf(other.states())).toEqual(before);
    });

    test("[S2] [S6] each hostile value that is taken comes back exactly, also out of an update", async () => {
      const state = store.state<unknown>("values");
      for (const value of keptValues) {
        await state.save(value);
        expect(await other.state("values").load()).toEqual(value);
        expect(await other.state<unknown>("values").update(() => [value])).toEqual([value]);
        expect(await state.load()).toEqual([value]);
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    });

    test.each(refusedValues)("[S3] [S6] %s is refused, and what was stored stays", async (_, value) => {
      const state = store.state<unknown>("refused");
      const revision = await state.save("before");
      const ends = await Promise.allSettled([
        state.save(value),
        state.update(() => value),
        state.trySave(value),
      ]);
      for (const end of ends) {
        expect(end).toMatchObject({
          status: "rejected",
          reason: { code: "SERIALIZATION", outcome: "none" },
        });
        const { message } = (end as PromiseRejectedResult).reason as Error;
        expect(message.length).toBeLessThan(500); // a megabyte is not quoted
      }
      expect(await other.state("refused").read()).toMatchObject({ value: "before", revision });
      expect(await other.lock("refused").inspect()).toBeNull();
    });

    test("[S2] 100 MB are kept exactly where maxStateBytes allows them", async () => {
      const [writer, reader] = [1, 2].map(() =>
        open(backend.url, { maxStateBytes: 128 * mebibyte, operationMs: 60_000 }),
      ) as [Store, Store];
      const value = "0123456789".repeat(10 * mebibyte);
      await writer.state("large").save(value);
      expect((await reader.state("large").load()) === value).toBe(true); // no diff of 100 MB, please
      await expect(store.state("large").load()).rejects.toMatchObject({ code: "CORRUPT_STATE" });
      await reader.state("large").delete();
      await Promise.all([writer.close(), reader.close()]);
    });
  });
}
