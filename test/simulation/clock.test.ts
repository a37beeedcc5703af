// Virtual time itself: the order in which a process's loop runs what is due, and what a stop does to it.

import { expect, test } from "vitest";

import { Loop, Timeline } from "./clock.ts";

function start(options: { offsetMs?: number; rate?: number } = {}) {
  const timeline = new Timeline();
  const loop = new Loop({ timeline, ...options });
  const log: string[] = [];
  const note = (what: string) => () => void log.push(`${timeline.now} ${what}`);
  return { timeline, loop, log, note };
}

test("events come in the order of their times, and promises go on in between", async () => {
  const { timeline, log, note } = start();
  timeline.at(20, note("late"));
  timeline.at(10, () => {
    note("early")();
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(note("its promise"));
  });
  timeline.at(10, note("the second of then"));
  await timeline.run(100);
  expect(log).toEqual(["10 early", "10 its promise", "10 the second of then", "20 late"]);
  expect(timeline.now).toBe(100);
});

test("timers that are cleared do not fire, and a loop sets and clears them while it runs", async () => {
  const { timeline, loop, log, note } = start();
  const gone = loop.setTimeout(note("gone"), 5);
  loop.setTimeout(() => loop.clearTimeout(gone), 4);
  loop.setTimeout(note("second"), 10);
  loop.setTimeout(note("first"), 5);
  loop.setTimeout(() => loop.setTimeout(note("third"), 10), 5);
  await timeline.run(100);
  expect(log).toEqual(["5 first", "10 second", "15 third"]);
});

test("after a stop: what is due, then what has arrived, then immediates, as Node does", async () => {
  const { timeline, loop, log, note } = start();
  const stops: number[] = [];
  loop.onContinue = (from) => stops.push(from);
  timeline.at(1, () => loop.post(() => loop.setImmediate(note("immediate"))));
  timeline.at(2, () => loop.stop(50));
  timeline.at(10, () => loop.post(note("message 1")));
  timeline.at(11, () => loop.post(note("message 2")));
  loop.setTimeout(note("timer 30"), 30);
  loop.setTimeout(note("timer 20"), 20);
  await timeline.run(100);
  expect(log).toEqual(["1 immediate", "52 timer 20", "52 timer 30", "52 message 1", "52 message 2"]);
  expect(stops).toEqual([2]);
});

test("a loop that was killed runs nothing any more", async () => {
  const { timeline, loop, log, note } = start();
  loop.setTimeout(note("timer"), 10);
  timeline.at(5, () => loop.kill());
  timeline.at(6, () => loop.post(note("message")));
  await timeline.run(100);
  expect(log).toEqual([]);
});

test("each process has a clock of its own", async () => {
  const { timeline, loop, log, note } = start({ offsetMs: 1_000, rate: 2 });
  expect(loop.now()).toBe(1_000);
  loop.setTimeout(note("after 100 of its own milliseconds"), 100);
  await timeline.run(80);
  expect(log).toEqual(["50 after 100 of its own milliseconds"]);
  expect(loop.now()).toBe(1_160);
});
