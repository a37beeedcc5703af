/**
 * A worker process: claims a chunk, counts its words, records both; until no chunk is left.
 *
 * This is the file that shows what Holdfast is for. Any number of these run at once, and any of them may die at any
 * time; each chunk is counted exactly once all the same.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { chunkLock, openStore, tallyOf, type Tally } from "./tally.ts";
import { addTo, countChunk, shuffled, type Chunk, type Counts } from "./words.ts";

/** What the parent wants done. */
export interface Job {
  readonly run: string;
  readonly worker: number;
  readonly workers: number;
  readonly seed: number;
  readonly naive: boolean;
  readonly chunks: readonly Chunk[];
}

/** What a worker tells its parent, which answers each: "ready" with the job, the others when the worker may go on. */
export type News =
  { readonly kind: "ready" } | { readonly kind: "claimed" | "recorded"; readonly chunk: number };

const store = openStore();
process.on("SIGINT", () => undefined); // Ctrl-C reaches all processes of a terminal; the parent will see to it
process.on("disconnect", leave);

await store.ready();
const job = (await tell({ kind: "ready" })) as Job;
const tally = tallyOf(store, job.run);
// One order for all: what a dead worker leaves behind is then the first that anybody tries, once its lease has ended.
const order = shuffled(job.chunks.length, job.seed);

try {
  await (job.naive ? countNaively() : countTogether());
  process.disconnect();
} catch (error) {
  if (process.connected) throw error; // else our own leaving has ended it
}

async function countTogether(): Promise<void> {
  let counted: Tally["countedBy"] = {};
  for (;;) {
    const left = order.filter((chunk) => counted[chunk] === undefined);
    if (left.length === 0) return;
    const claim = await claimOneOf(left);
    // Read when the chunk is ours: by now its last holder has either recorded it, or will never do so.
    counted = (await tally.load()).countedBy;
    if (claim === undefined) {
      await sleep(50); // others are at all that is left; should one of them have died, its lock will come free
      continue;
    }
    try {
      if (counted[claim.chunk] === undefined) counted = await countOne(claim.chunk);
    } finally {
      await claim.grant.release();
    }
  }
}

async function claimOneOf(chunks: readonly number[]) {
  for (const chunk of chunks) {
    const grant = await chunkLock(store, job.run, chunk).tryAcquire();
    if (grant !== null) return { chunk, grant };
  }
  return undefined;
}

async function countOne(chunk: number): Promise<Tally["countedBy"]> {
  await tell({ kind: "claimed", chunk });
  const { isNew, countedBy } = await record(chunk, await countChunk(job.chunks[chunk] ?? []));
  if (isNew) await tell({ kind: "recorded", chunk });
  return countedBy;
}

/**
 * The lock of a chunk spares two workers the same work; it is this that makes a chunk count exactly once. A worker that was
 * suspended longer than its lease comes back and finds here that another has done its work.
 */
async function record(chunk: number, counts: Counts) {
  return tally.run((draft) => {
    const { words, countedBy } = draft;
    const isNew = countedBy[chunk] === undefined;
    if (isNew) {
      countedBy[chunk] = job.worker;
      addTo(words, counts);
    }
    return { isNew, countedBy }; // what the others have recorded by now is worth knowing
  });
}

/** How one would do it without all this. The chunks are dealt out beforehand, and still it goes wrong. */
async function countNaively(): Promise<void> {
  for (const chunk of order.filter((number) => number % job.workers === job.worker - 1)) {
    const counts = await countChunk(job.chunks[chunk] ?? []);
    const value = await tally.load();
    value.countedBy[chunk] = job.worker;
    addTo(value.words, counts);
    await tally.save(value); // and what the others have saved since our load is lost
    await tell({ kind: "recorded", chunk });
  }
}

/** Tells the parent, and waits for its answer. */
async function tell(news: News): Promise<unknown> {
  process.send?.(news);
  const [answer] = (await once(process, "message")) as [unknown];
  return answer;
}

/** The work is done, or the parent is gone: gives back what is locked, and ends. */
function leave(): void {
  void store.close({ drainMs: 0 }).finally(() => process.exit());
}
