// One process that moves money between the accounts until it is told to finish, and says from time to time how far it is. Takes
// the orders of ../worker.ts.

import { open, type Store } from "../../../src/index.ts";
import { fakeWallClock } from "../../support/faults/wall-clock.ts";
import { Random } from "../random.ts";
import { fileLog, Recorder } from "../recorder.ts";
import type { Job, Order } from "../worker.ts";
import { accountOf, accounts } from "./account.ts";

/** What a process says of its calls so far. */
export interface Progress {
  acknowledged: number;
  failed: number;
  unknown: number;
}

const progressMs = 100;

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const recorder = new Recorder(fileLog(job.file, BigInt(job.epoch)), job.life);
recorder.write("life", { pid: process.pid });
const clock = fakeWallClock();
clock.jump(job.clockOffsetMs);
const store = open(job.target, job.options);
const progress: Progress = { acknowledged: 0, failed: 0, unknown: 0 };
let isStopped = false;

const tell = (): void => void process.send?.({ life: job.life, progress });
const telling = setInterval(tell, progressMs);
const work = Promise.all(
  Array.from({ length: job.callers }, (_, caller) =>
    transfers(store, new Random(`${job.seed} ${job.life} ${caller}`)),
  ),
);

process.on("message", (order: Order) => {
  if (order.do === "block") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms);
  if (order.do === "clock") clock.jump(order.ms);
  if (order.do === "finish") void finish();
  process.send?.({ done: order.do });
});

/** Its parent is gone. */
const orphaned = (): never => process.exit(3);
process.once("disconnect", orphaned);

async function transfers(bank: Store, random: Random): Promise<void> {
  while (!isStopped) {
    const from = random.whole(0, accounts - 1);
    const to = (from + random.whole(1, accounts - 1)) % accounts;
    const cents = random.whole(1, 100);
    try {
      await bank.transact([accountOf(bank, from), accountOf(bank, to)], ([a, b]) => {
        a.cents -= cents;
        b.cents += cents;
        a.changes += 1;
        b.changes += 1;
      });
      progress.acknowledged += 1;
    } catch (error) {
      progress[recorder.outcomeOf(error).outcome === "unknown" ? "unknown" : "failed"] += 1;
    }
  }
}

async function finish(): Promise<void> {
  isStopped = true;
  await work;
  await store.close();
  clearInterval(telling);
  tell();
  process.off("disconnect", orphaned);
  process.disconnect();
}
