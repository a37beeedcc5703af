/** What the processes of one run share: the tally, in one state, and a lock for each chunk. */
import { open, type Lock, type State, type Store } from "holdfast";

/**
 * The counts and the finished chunks are one state, because they must change together: if one were saved without the
 * other, a chunk would be counted twice or never.
 */
export interface Tally {
  words: Record<string, number>;
  /** Chunk → the worker that counted it. */
  countedBy: Record<number, number>;
}

/** How long a dead worker's chunk stays locked. A live worker renews its lease, so its work may take longer. */
const leaseMs = 2_000;
/** If all processes are killed at once, the state expires. */
const ttlMs = 10 * 60_000;

/** `$HOLDFAST_URL`, or a SQLite file next to the nearest package.json. */
export function openStore(): Store {
  return open(undefined, { leaseMs, waitMs: 60_000 });
}

/** Every run has its own ids, so that two runs do not share data. */
export function tallyOf(store: Store, run: string): State<Tally, Tally> {
  return store.state<Tally>(`${prefixOf(run)}tally`, {
    initial: () => ({ words: {}, countedBy: {} }),
    ttlMs,
  });
}

export function chunkLock(store: Store, run: string, chunk: number): Lock {
  return store.lock(`${prefixOf(run)}chunk:${chunk}`);
}

/** Removes everything that a run has stored, including the lock of a killed worker. */
export async function removeRun(store: Store, run: string): Promise<void> {
  const mine = { idPrefix: prefixOf(run) };
  for await (const { id } of store.locks(mine)) await store.lock(id).forceRelease();
  for await (const { id } of store.states(mine)) await store.state(id).delete();
}

function prefixOf(run: string): string {
  return `word-tally:${run}:`;
}
