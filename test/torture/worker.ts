// One process of the history check: opens the store, makes calls from several callers at once, and records each. Told over
// IPC to block its event loop, to let its wall clock jump, and to finish; then it closes the store and must end by itself.

import { open, type OpenOptions } from "../../src/index.ts";
import { fakeWallClock } from "../support/faults/wall-clock.ts";
import { Caller } from "./caller.ts";
import { Random } from "./random.ts";
import { fileLog, Recorder } from "./recorder.ts";

export interface Job {
  readonly target: string | string[];
  readonly life: string;
  readonly seed: string;
  readonly epoch: string;
  readonly file: string;
  readonly callers: number;
  readonly lists: number;
  readonly options: OpenOptions;
  readonly clockOffsetMs: number;
}

export type Order =
  | { readonly do: "block"; readonly ms: number }
  | { readonly do: "clock"; readonly ms: number }
  | { readonly do: "finish" };

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const recorder = new Recorder(fileLog(job.file, BigInt(job.epoch)), job.life);
recorder.write("life", { pid: process.pid });
const clock = fakeWallClock();
clock.jump(job.clockOffsetMs);
const store = open(job.target, job.options);
const callers = Array.from(
  { length: job.callers },
  (_, number) =>
    new Caller({ store, recorder, number, job, random: new Random(`${job.seed} ${job.life} ${number}`) }),
);
const heartbeat = watchForStalls();

const work = Promise.all(callers.map((caller) => caller.work()));

process.on("message", (order: Order) => {
  if (order.do === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms);
  if (order.do === "clock") clock.jump(order.ms);
  if (order.do === "finish") void finish();
  process.send?.({ done: order.do });
});

/** Whoever started this is gone. */
const orphaned = (): never => process.exit(3);
process.once("disconnect", orphaned);

async function finish(): Promise<void> {
  for (const caller of callers) caller.stop();
  await work;
  for (let list = 0; list < job.lists; list += 1) await callers[0]?.last(list);
  await callers[0]?.banks.last();
  await store.close();
  clearInterval(heartbeat);
  recorder.write("closed");
  process.off("disconnect", orphaned);
  process.disconnect();
}

/** A timer that is late says that this process was not run: stopped, blocked, or the machine had no time for it. */
function watchForStalls(): NodeJS.Timeout {
  const everyMs = 5;
  let last = recorder.now();
  return setInterval(() => {
    const at = recorder.now();
    if (at - last > (everyMs + 8) * 1e6) recorder.write("stall", { from: last });
    last = at;
  }, everyMs);
}
