/**
 * A worker process: claims a chunk, counts its words and records both, until no chunk is left.
 *
 * This is the file that shows what Holdfast is for. Any number of these run at once, and any of them may die at any
 * time; each chunk is still counted exactly once.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { chunkLock, openStore, tallyOf, type Tally } from "./tally.ts";
import { addTo, countChunk, shuffled, type Chunk, type Counts } from "./words.ts";

/** What the worker has to do. */
export interface Job {
  readonly run: string;
  readonly worker: number;
  readonly workers: number;
  readonly seed: number;
  readonly naive: boolean;
  readonly chunks: readonly Chunk[];
}

/** Messages to the parent, which answers each: "ready" with the job, the others when the worker may continue. */
export type News =
  { readonly kind: "ready" } | { readonly kind: "claimed" | "recorded"; readonly chunk: number };

const store = openStore();
process.on("SIGINT", () => undefined); // Ctrl-C reaches all processes of a terminal; the parent handles it
process.on("disconnect", leave);

await store.ready();
const job = (await tell({ kind: "ready" })) as Job;
const tally = tallyOf(store, job.run);
// All workers use the same order, so a dead worker's chunk is the first that they try once its lease has ended.
const order = shuffled(job.chunks.length, job.seed);

try {
  await (job.naive ? countNaively() : countTogether());
  process.disconnect();
} catch (error) {
  if (process.connected) throw error; // otherwise leave() has ended it
}

async function countTogether(): Promise<void> {
  let counted: Tally["countedBy"] = {};
  for (;;) {
    const left = order.filter((chunk) => counted[chunk] === undefined);
    if (left.length === 0) return;
    const claim = await claimOneOf(left);
    // Loaded after the claim: by now, the last holder of the chunk has either recorded it or never will.
    counted = (await tally.load()).countedBy;
    if (claim === undefined) {
      await sleep(50); // other workers have all that is left; if one of them died, its lock will become free
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
 * The lock of a chunk only keeps two workers from doing the same work; this update makes a chunk count exactly once. A
 * worker that was suspended for longer than its lease finds out here that another worker has recorded its chunk.
 */
async function record(chunk: number, counts: Counts) {
  return tally.run((draft) => {
    const { words, countedBy } = draft;
    const isNew = countedBy[chunk] === undefined;
    if (isNew) {
      countedBy[chunk] = job.worker;
      addTo(words, counts);
    }
    return { isNew, countedBy }; // saves a load: it shows what the others have recorded
  });
}

/** The same without locks and updates. Each worker has its own chunks, and the result is still wrong. */
async function countNaively(): Promise<void> {
  for (const chunk of order.filter((number) => number % job.workers === job.worker - 1)) {
    const counts = await countChunk(job.chunks[chunk] ?? []);
    const value = await tally.load();
    value.countedBy[chunk] = job.worker;
    addTo(value.words, counts);
    await tally.save(value); // and overwrites what the others have saved since the load
    await tell({ kind: "recorded", chunk });
  }
}

/** Sends a message to the parent and waits for the answer. */
async function tell(news: News): Promise<unknown> {
  process.send?.(news);
  const [answer] = (await once(process, "message")) as [unknown];
  return answer;
}

/** The work is done, or the parent is gone: releases all locks and exits. */
function leave(): void {
  void store.close({ drainMs: 0 }).finally(() => process.exit());
}
