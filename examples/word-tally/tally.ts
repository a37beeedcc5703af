/** What the processes of one run share: the tally, in one state, and a lock for each chunk. */
import { open, type Lock, type State, type Store } from "holdfast";

/**
 * Both in one state, since what must change together has to be one state: a chunk's words without its name, or its name
 * without its words, would be counted twice or never.
 */
export interface Tally {
  words: Record<string, number>;
  /** Chunk → the worker that counted it. */
  countedBy: Record<number, number>;
}

/** How long a dead worker's chunk stays locked. A living one renews its lease, so its work may take longer. */
const leaseMs = 2_000;
/** Should everything be killed at once, the state goes by itself. */
const ttlMs = 10 * 60_000;

/** `$HOLDFAST_URL`, or an SQLite file beside the nearest package.json. */
export function openStore(): Store {
  return open(undefined, { leaseMs, waitMs: 60_000 });
}

/** Every run has ids of its own, so that two runs do not meet. */
export function tallyOf(store: Store, run: string): State<Tally, Tally> {
  return store.state<Tally>(`${prefixOf(run)}tally`, {
    initial: () => ({ words: {}, countedBy: {} }),
    ttlMs,
  });
}

export function chunkLock(store: Store, run: string, chunk: number): Lock {
  return store.lock(`${prefixOf(run)}chunk:${chunk}`);
}

/** Leaves nothing behind; neither what a run has stored, nor what a killed worker had locked. */
export async function removeRun(store: Store, run: string): Promise<void> {
  const mine = { idPrefix: prefixOf(run) };
  for await (const { id } of store.locks(mine)) await store.lock(id).forceRelease();
  for await (const { id } of store.states(mine)) await store.state(id).delete();
}

function prefixOf(run: string): string {
  return `word-tally:${run}:`;
}
