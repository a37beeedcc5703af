// Steps that run at once let the event loop turn all the same, and keep their order.

import { expect, test } from "vitest";

import { EventLoopYield } from "../../../src/time/event-loop-yield.ts";

const busy = (ms: number): void => {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
};

test("[L5] steps that are awaited one after the other let the loop turn; between turns they run at once", async () => {
  const turns = new EventLoopYield();
  let turned = 0;
  const count = (): void => {
    turned += 1;
    if (turned < 3) setImmediate(count);
  };
  setImmediate(count);
  let steps = 0;
  while (turned < 3 && steps < 1_000_000) await turns.run(() => (steps += 1));
  expect(turned).toBe(3);
  expect(steps).toBeGreaterThan(10);
});

test("steps run in the order in which they were asked for, and each has its own answer", async () => {
  const turns = new EventLoopYield();
  const ran: number[] = [];
  const answers = Array.from({ length: 60 }, (_, n) =>
    turns.run(() => {
      if (n % 10 === 0) busy(6); // longer than a run may last
      ran.push(n);
      if (n === 7) throw new Error("the seventh");
      return n;
    }),
  );
  const settled = await Promise.allSettled(answers);
  const expected = Array.from({ length: 60 }, (_, n) => n);
  expect(ran).toEqual(expected);
  expect(
    settled.map((answer) => (answer.status === "fulfilled" ? answer.value : (answer.reason as Error))),
  ).toEqual(expected.map((n) => (n === 7 ? new Error("the seventh") : n)));
});

test("a step that is asked for by one that has just run does not overtake those that wait", async () => {
  const turns = new EventLoopYield();
  const ran: string[] = [];
  const first = turns.run(() => ran.push("first")).then(() => turns.run(() => ran.push("after first")));
  await Promise.all([first, turns.run(() => ran.push("second")), turns.run(() => ran.push("third"))]);
  expect(ran).toEqual(["first", "second", "third", "after first"]);
});

test("finish() runs at once what waits", async () => {
  const turns = new EventLoopYield();
  const ran: number[] = [];
  const waiting = [1, 2].map((n) => turns.run(() => ran.push(n)));
  turns.finish();
  expect(ran).toEqual([1, 2]);
  await Promise.all(waiting);
});
