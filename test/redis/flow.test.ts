// Over how many scripts operations are spread, and when their answers are opened.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Flow } from "../../src/backends/redis/pipeline/pacer.ts";

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that stands still unless it is moved: how long a turn really takes is the machine's business. */
let clock = 0;
const newFlow = (): Flow => new Flow(() => clock);

function flowOf(operations: number, scripts: number): Flow {
  const flow = newFlow();
  for (let n = 0; n < operations; n += 1) flow.added();
  for (let n = 0; n < scripts; n += 1) flow.sent();
  return flow;
}

describe("scripts", () => {
  test.each([
    [1, 1],
    [3, 1],
    [4, 3],
    [64, 3],
    [1_000, 3],
  ])(
    "%i operations that come together are spread over %i, before any limit of size",
    (operations, scripts) => {
      expect(flowOf(operations, 0).scriptsFor(operations)).toBe(scripts);
    },
  );

  test("a third of all under way stays together, and so does less", () => {
    const flow = flowOf(64, 2);
    expect([1, 20, 22, 31].map((operations) => flow.scriptsFor(operations))).toEqual([1, 1, 1, 1]);
    expect(flow.scriptsFor(43)).toBe(2);
  });
});

describe("answers", () => {
  test("of what is alone are opened at once", () => {
    const flow = flowOf(5, 1);
    let opened = false;
    flow.answered(5, () => (opened = true));
    expect(opened).toBe(true);
    expect(flow.scriptsFor(4)).toBe(1);
  });

  test("that come together are opened a third at a time, in their order, with a turn between for what they bring", async () => {
    const flow = flowOf(60, 3);
    const opened: number[] = [];
    for (const n of [1, 2, 3]) flow.answered(20, () => opened.push(n));
    expect(opened).toEqual([1]);
    await turn();
    expect(opened).toEqual([1]);
    await turn();
    expect(opened).toEqual([1, 2]);
    await turn();
    await turn();
    expect(opened).toEqual([1, 2, 3]);
  });

  test("of many small scripts are opened together, up to a third of the operations", async () => {
    const flow = flowOf(60, 12);
    const opened: number[] = [];
    for (let n = 0; n < 12; n += 1) flow.answered(5, () => opened.push(n));
    expect(opened).toHaveLength(1);
    while (opened.length < 12) {
      const before = opened.length;
      await turn();
      expect(opened.length - before).toBeLessThanOrEqual(4);
    }
    expect(opened).toEqual(Array.from({ length: 12 }, (_, n) => n));
  });

  test("of three operations and fewer are opened at once, each in a script of its own", () => {
    const flow = flowOf(3, 3);
    const opened: number[] = [];
    for (const n of [1, 2, 3]) flow.answered(1, () => opened.push(n));
    expect(opened).toEqual([1, 2, 3]);
  });

  test.each([
    [6, 3],
    [7, 3],
    [8, 2],
    [16, 3],
    [9, 9],
    [100, 50],
  ])(
    "of %i operations in %i scripts are all opened, and none is left behind",
    async (operations, scripts) => {
      const flow = flowOf(operations, scripts);
      const opened: number[] = [];
      let left = operations;
      for (let n = 0; n < scripts; n += 1) {
        const some = n === scripts - 1 ? left : Math.floor(operations / scripts);
        left -= some;
        flow.answered(some, () => opened.push(n));
      }
      for (let turns = 0; turns < 200; turns += 1) await turn();
      expect(opened).toEqual(Array.from({ length: scripts }, (_, n) => n));
    },
  );

  test("[S5] however scripts come and are answered: each is opened, in order, and none is left behind", async () => {
    const step = fc.record({
      operations: fc.integer({ min: 1, max: 70 }),
      turns: fc.integer({ min: 0, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        async (steps, ahead) => {
          const flow = newFlow();
          const sent: number[] = [];
          const opened: number[] = [];
          const answerTo = (n: number): void =>
            flow.answered(steps[n]?.operations ?? 0, () => opened.push(n));
          for (const [n, { operations, turns }] of steps.entries()) {
            for (let k = 0; k < operations; k += 1) flow.added();
            flow.sent();
            sent.push(n);
            if (n >= ahead) answerTo(n - ahead);
            for (let k = 0; k < turns; k += 1) await turn();
          }
          for (const n of sent.slice(-ahead)) if (n >= Math.max(0, steps.length - ahead)) answerTo(n);
          for (let k = 0; k < 80; k += 1) await turn();
          expect(opened).toEqual(sent);
        },
      ),
    );
  });

  test("do not wait for many turns that are long", async () => {
    const flow = flowOf(64, 64);
    const opened: number[] = [];
    for (let n = 0; n < 64; n += 1) flow.answered(1, () => opened.push(n));
    clock += 10; // as if a body had computed
    await turn();
    await turn();
    expect(opened).toHaveLength(64);
  });

  test("nothing is left when all have been opened: the next is opened at once again", async () => {
    const flow = flowOf(8, 2);
    const opened: string[] = [];
    flow.answered(4, () => opened.push("first"));
    flow.answered(4, () => opened.push("second"));
    await turn();
    await turn();
    await turn();
    flow.added();
    flow.sent();
    flow.answered(1, () => opened.push("third"));
    expect(opened).toEqual(["first", "second", "third"]);
  });
});
