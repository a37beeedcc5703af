// Over how many scripts operations are spread, and when their answers are opened.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Pacer } from "../../../../src/backends/redis/pipeline/pacer.ts";

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that stands still unless it is moved: how long a turn really takes is the machine's business. */
let clock = 0;
const newPacer = (): Pacer => new Pacer(() => clock);

function pacerOf(operations: number, scripts: number): Pacer {
  const pacer = newPacer();
  for (let n = 0; n < operations; n += 1) pacer.operationAdded();
  for (let n = 0; n < scripts; n += 1) pacer.scriptSent();
  return pacer;
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
      expect(pacerOf(operations, 0).scriptsFor(operations)).toBe(scripts);
    },
  );

  test("a third of all under way stays together, and so does less", () => {
    const pacer = pacerOf(64, 2);
    expect([1, 20, 22, 31].map((operations) => pacer.scriptsFor(operations))).toEqual([1, 1, 1, 1]);
    expect(pacer.scriptsFor(43)).toBe(2);
  });
});

describe("answers", () => {
  test("of what is alone are opened at once", () => {
    const pacer = pacerOf(5, 1);
    let opened = false;
    pacer.replyReceived(5, () => (opened = true));
    expect(opened).toBe(true);
    expect(pacer.scriptsFor(4)).toBe(1);
  });

  test("that come together are opened a third at a time, in their order, with a turn between for what they bring", async () => {
    const pacer = pacerOf(60, 3);
    const opened: number[] = [];
    for (const n of [1, 2, 3]) pacer.replyReceived(20, () => opened.push(n));
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
    const pacer = pacerOf(60, 12);
    const opened: number[] = [];
    for (let n = 0; n < 12; n += 1) pacer.replyReceived(5, () => opened.push(n));
    expect(opened).toHaveLength(1);
    while (opened.length < 12) {
      const before = opened.length;
      await turn();
      expect(opened.length - before).toBeLessThanOrEqual(4);
    }
    expect(opened).toEqual(Array.from({ length: 12 }, (_, n) => n));
  });

  test("of three operations and fewer are opened at once, each in a script of its own", () => {
    const pacer = pacerOf(3, 3);
    const opened: number[] = [];
    for (const n of [1, 2, 3]) pacer.replyReceived(1, () => opened.push(n));
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
      const pacer = pacerOf(operations, scripts);
      const opened: number[] = [];
      let left = operations;
      for (let n = 0; n < scripts; n += 1) {
        const some = n === scripts - 1 ? left : Math.floor(operations / scripts);
        left -= some;
        pacer.replyReceived(some, () => opened.push(n));
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
          const pacer = newPacer();
          const sent: number[] = [];
          const opened: number[] = [];
          const answerTo = (n: number): void =>
            pacer.replyReceived(steps[n]?.operations ?? 0, () => opened.push(n));
          for (const [n, { operations, turns }] of steps.entries()) {
            for (let k = 0; k < operations; k += 1) pacer.operationAdded();
            pacer.scriptSent();
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
    const pacer = pacerOf(64, 64);
    const opened: number[] = [];
    for (let n = 0; n < 64; n += 1) pacer.replyReceived(1, () => opened.push(n));
    clock += 10; // as if a body had computed
    await turn();
    await turn();
    expect(opened).toHaveLength(64);
  });

  test("nothing is left when all have been opened: the next is opened at once again", async () => {
    const pacer = pacerOf(8, 2);
    const opened: string[] = [];
    pacer.replyReceived(4, () => opened.push("first"));
    pacer.replyReceived(4, () => opened.push("second"));
    await turn();
    await turn();
    await turn();
    pacer.operationAdded();
    pacer.scriptSent();
    pacer.replyReceived(1, () => opened.push("third"));
    expect(opened).toEqual(["first", "second", "third"]);
  });
});
