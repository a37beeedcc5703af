// Random values from here to Python and back, and from Python to here and back: each side says what it got, with all types.
// PROPERTY_RUNS=100000 tries longer.

import fc from "fast-check";
import { Buffer } from "node:buffer";
import { afterAll, describe, expect, test } from "vitest";

import { pickle } from "../../../src/pickle.ts";
import { describeValue } from "./describe.ts";
import { PythonProcess, pythonVersion, type Pickler } from "./python-process.ts";
import { plainData } from "./values.ts";

const version = pythonVersion();
const numRuns = Number(process.env["PROPERTY_RUNS"] ?? 2000);
const pickler = fc.constantFrom<Pickler>("c", "p");

describe.skipIf(version === undefined)(`with ${version ?? "python3, which is not there"}`, () => {
  let python: PythonProcess | undefined;
  const peer = (): PythonProcess => (python ??= new PythonProcess());
  afterAll(() => python?.end());

  test("[S6] values of ours are the same in Python, and when Python has pickled them again", async () => {
    const protocol = fc.integer({ min: 4, max: 5 }); // those before do not keep a fold
    await fc.assert(
      fc.asyncProperty(plainData, protocol, pickler, async (value, ...how) => {
        const written = pickle.serialize(value);
        const answer = await peer().echo(written, ...how);
        const expected = describeValue(value);
        expect(answer.text).toBe(expected);
        expect(describeValue(pickle.deserialize(answer.pickle))).toBe(expected);
        expect(describeValue(pickle.deserialize(written))).toBe(expected);
      }),
      { numRuns },
    );
  }, 120_000);

  test("[S6] values of Python are the same here, and when we have pickled them again", async () => {
    const seed = fc.noShrink(fc.nat().map(String));
    const protocol = fc.integer({ min: 0, max: 5 });
    await fc.assert(
      fc.asyncProperty(seed, protocol, pickler, async (...what) => {
        const made = await peer().make(...what);
        const value = pickle.deserialize(made.pickle);
        expect(describeValue(value)).toBe(made.text);
        const written = pickle.serialize(value);
        expect((await peer().echo(written, 4, "c")).text).toBe(made.text);
        expect(Buffer.compare(pickle.serialize(pickle.deserialize(written)), written)).toBe(0);
      }),
      { numRuns },
    );
  }, 120_000);
});
