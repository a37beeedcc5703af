// What CPython and PyPy wrote, read and written again: the files of fixtures/, which need no Python.

import { Buffer } from "node:buffer";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";

import { createPickle, pickle, type PyDateTime, type PyTuple } from "../../../../src/pickle.ts";
import { folded, values, valuesOfPython2 } from "./fixtures.ts";

const folder = join(import.meta.dirname, "fixtures");
const files = readdirSync(folder).filter((name) => name.endsWith(".pickle"));
const read = (name: string): Buffer => readFileSync(join(folder, name));

function expectedIn(file: string): Readonly<Record<string, unknown>> {
  if (file.startsWith("cpython-2")) return valuesOfPython2;
  return /protocol-[45]/.test(file) ? { ...values, ...folded } : values;
}

test("there are files of Python 2.7, 3.6, 3.8, 3.11, 3.13 and PyPy, of each protocol", () => {
  const count = (start: string): number => files.filter((name) => name.startsWith(start)).length;
  expect(
    ["cpython-2.7", "cpython-3.6", "cpython-3.8", "cpython-3.11", "cpython-3.13", "pypy"].map(count),
  ).toEqual([3, 5, 6, 12, 6, 6]);
});

test.each(files)("[S6] %s is read, and what is written is read as the same", (file) => {
  const found = pickle.deserialize(read(file)) as Record<string, unknown>;
  const expected = expectedIn(file);
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  const different = Object.keys(expected).filter((name) => !isDeepStrictEqual(found[name], expected[name]));
  expect(different).toEqual([]);
  const bytes = pickle.serialize(found);
  const again = pickle.deserialize(bytes);
  expect(isDeepStrictEqual(again, found)).toBe(true);
  expect(Buffer.compare(pickle.serialize(again), bytes)).toBe(0);
});

test.each(files.filter((name) => name.startsWith("cpython-3.11.7-p")))(
  "[S6] %s, cut off, is refused",
  (file) => {
    const bytes = read(file);
    // At each of the first and last bytes, and at some of those between.
    for (
      let length = 0;
      length < bytes.length;
      length += length < 200 || length > bytes.length - 50 ? 1 : 97
    ) {
      expect(() => pickle.deserialize(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: "CORRUPT_STATE" }),
      );
    }
  },
);

test.each(files.filter((name) => !name.startsWith("cpython-2")))(
  "what was one object in %s is one again",
  (file) => {
    const found = pickle.deserialize(read(file)) as Record<string, unknown>;
    const [first, second] = found["shared"] as unknown[];
    expect(first).toBe(second);
    expect((found["loop"] as unknown[])[1]).toBe(found["loop"]);
    expect((found["ring"] as Record<string, unknown>)["self"]).toBe(found["ring"]);
    const knot = found["knot"] as PyTuple;
    expect((knot.items[0] as unknown[])[0]).toBe(knot);
    expect((knot.items[1] as Map<unknown, unknown>).get(1)).toBe(knot);
  },
);

test("options: integral floats as numbers, and dicts as maps", () => {
  const lenient = createPickle({ floats: "numbers", dicts: "maps" });
  const found = lenient.deserialize(read("cpython-3.11.7-protocol-4.pickle")) as Map<string, unknown>;
  expect(found.get("integral floats")).toEqual([0, 1, -3, 2 ** 60, 1e300]);
  expect(found.get("dicts")).toEqual([
    new Map(),
    new Map<string, unknown>([
      ["a", 1],
      ["b", new Map([["c", []]])],
    ]),
    new Map([
      ["__proto__", 1],
      ["10", 2],
    ]),
  ]);
});

test("an aware date is a point in time", () => {
  const { aware } = pickle.deserialize(read("cpython-3.11.7-protocol-4.pickle")) as { aware: PyDateTime[] };
  expect(aware.map((date) => date.toDate().toISOString())).toEqual([
    "2026-11-30T08:05:30.123Z",
    "2026-11-30T07:05:30.123Z",
    "2026-11-30T08:35:30.123Z",
  ]);
});
