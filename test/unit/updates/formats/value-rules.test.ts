// The options `schema`, `version`, `migrate` and `previousSerializers`: what cannot be meant is refused by state() itself.

import { afterAll, expect, test } from "vitest";

import { InvalidArgumentError, json, open, type StateOptions } from "../../../../src/index.ts";
import { formatName, parseFormat } from "../../../../src/updates/formats/format-name.ts";

const store = open("memory:");
afterAll(() => store.close());

const same = (value: unknown): unknown => value;
const many = (count: number): Record<number, typeof same> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [index + 1, same]));

test.each<[options: object, message: RegExp]>([
  [{ schema: 5 }, /schema must be a schema that implements Standard Schema 1.*got 5/],
  [{ schema: {} }, /Standard Schema 1/],
  [{ schema: { "~standard": { version: 2, validate: same } } }, /Standard Schema 1/],
  [{ schema: { "~standard": { version: 1 } } }, /Standard Schema 1/],
  [{ version: 0 }, /version must be a whole number from 1 to 999999; got 0/],
  [{ version: 1.5 }, /got 1\.5/],
  [{ version: "2" }, /got "2"/],
  [{ version: 1_000_000 }, /from 1 to 999999/],
  [{ migrate: { 1: same } }, /migrate needs version/],
  [{ version: 2, migrate: same }, /migrate must be an object with a function for each version/],
  [{ version: 2, migrate: [same] }, /got an array/],
  [
    { version: 2, migrate: { 0: same } },
    /keys of migrate are the versions that its functions take, from 1; got "0"/,
  ],
  [{ version: 2, migrate: { first: same } }, /got "first"/],
  [
    { version: 2, migrate: { 1: 5 } },
    /migrate\[1\] must be a function that returns the value of version 2; got 5/,
  ],
  [
    { version: 2, migrate: { 1: same, 2: same } },
    /migrate\[2\] makes a value of version 3, and version is 2/,
  ],
  [{ version: 4, migrate: { 1: same, 3: same } }, /migrate\[2\] is missing: .* from 1, its first, to 3/],
  [{ version: 4, migrate: { 2: same } }, /migrate\[3\] is missing/],
  [{ version: 66, migrate: many(65) }, /at most 64 functions; got 65/],
  [{ previousSerializers: "json" }, /previousSerializers must be a list of serializers/],
  [{ previousSerializers: ["xml"] }, /previousSerializers\[0\] must be/],
  [{ previousSerializers: ["json"] }, /names "json" twice, or it is the serializer that the state has now/],
  [{ serializer: "pickle", previousSerializers: ["json", json] }, /"json" twice/],
  [{ previousSerializers: Array(9).fill("pickle") }, /at most 8 serializers; got 9/],
])("%o is refused", (options, message) => {
  const call = (): unknown => store.state("x", options as StateOptions<unknown>);
  expect(call).toThrow(InvalidArgumentError);
  expect(call).toThrow(message);
});

test.each<object>([
  {},
  { version: 1 },
  { version: 5 },
  { version: 3, migrate: { 2: same } },
  { version: 65, migrate: many(64) },
  { version: 2, migrate: {} },
  { version: undefined, migrate: undefined, schema: undefined, previousSerializers: undefined },
])("%o is accepted", async (options) => {
  const state = store.state<number>("fine", options);
  await state.save(1);
  expect(await state.load()).toBe(1);
  await state.delete();
});

test("version 1 is what a state without a version has", async () => {
  const [plain, first] = [store.state<number>("one"), store.state<number>("one", { version: 1 })];
  await plain.save(1);
  expect(await first.load()).toBe(1);
  await first.save(2);
  expect(await plain.load()).toBe(2);
});

test.each([
  [3, "Add migrate[2], which"],
  [4, "Add migrate[2] to migrate[3], which"],
])("[S6] a migration from version 2 that begins with %i is told what to add", async (oldest, advice) => {
  await store.state<number>("old", { version: 2 }).save(1);
  const state = store.state<number>("old", { version: 5, migrate: Object.fromEntries(fromTo(oldest, 4)) });
  await expect(state.load()).rejects.toThrow(advice);
  await store.state("old").delete();
});

function fromTo(first: number, last: number): [number, (value: number) => number][] {
  return Array.from({ length: last - first + 1 }, (_, n) => [first + n, (value: number) => value]);
}

test.each<[string, string, number]>([
  ["json", "json", 1],
  ["json@2", "json", 2],
  ["a.b_c-d@999999", "a.b_c-d", 999_999],
])("the format %s has a serializer and a version", (name, serializer, version) => {
  expect(parseFormat(name)).toEqual({ serializer, version });
  expect(formatName({ serializer, version })).toBe(name);
});

test.each(["json@1", "json@0", "json@02", "json@", "@2", "json@2@3", "json@1000000", "json@2\n", "js on@2"])(
  "%j is no format of ours",
  (name) => {
    expect(parseFormat(name)).toEqual({ serializer: name, version: 1 });
  },
);
