/**
 * Yields each change of who leads that it sees. It asks when a hint says that something has changed, when the lease of
 * the leader that it knows would end, and at an interval, since hints may be lost. So it may miss a term that is short,
 * and it never shows one that has ended for longer than the interval.
 */
import { withCallersStack } from "../../caller-stacks.ts";
import { onAbort } from "../../ownership/abort-listeners.ts";
import type { Session } from "../../session.ts";
import type { SeenLeader } from "./leader-record.ts";
import type { LeaderInfo } from "./leader.ts";

/** How often it asks by default: rarely while the backend pushes hints. */
const pushedIntervalMs = 5_000;
const polledIntervalMs = 1_000;
/** A leader with a very short lease is not asked about at the end of each. */
const shortestLeaseMs = 250;

export interface WatchedLeader<T> {
  readonly session: Session;
  readonly key: string;
  readonly look: () => Promise<SeenLeader<T> | null>;
  /** `undefined`: the default. */
  readonly intervalMs: number | undefined;
}

/** Each iterator asks by itself. */
export function changesOf<T>(watched: WatchedLeader<T>): AsyncIterable<LeaderInfo<T> | null> {
  return { [Symbol.asyncIterator]: () => new Watch(watched) };
}

class Watch<T> implements AsyncIterator<LeaderInfo<T> | null, undefined> {
  readonly #watched: WatchedLeader<T>;
  readonly #session: Session;
  readonly #stop = new AbortController();
  readonly #changes: AsyncGenerator<LeaderInfo<T> | null, undefined>;
  #hints: "none" | "requested" | "pushed" = "none";
  /** Whether there was a hint since it last began to look. */
  #isStale = false;
  /** Ends a wait. */
  #wake: (() => void) | undefined;

  constructor(watched: WatchedLeader<T>) {
    this.#watched = watched;
    this.#session = watched.session;
    this.#changes = this.#generate();
  }

  async next(): Promise<IteratorResult<LeaderInfo<T> | null, undefined>> {
    const { keepAlive } = this.#session.calls;
    keepAlive.ref(); // [P1]
    try {
      return await withCallersStack(() => this.#changes.next());
    } finally {
      keepAlive.unref();
    }
  }

  /** Ends a `next()` that waits, too. */
  return(): Promise<IteratorResult<LeaderInfo<T> | null, undefined>> {
    this.#stop.abort();
    return this.#changes.return(undefined);
  }

  async *#generate(): AsyncGenerator<LeaderInfo<T> | null, undefined> {
    const unwatch = this.#session.calls.watchers.add(this.#watched.key, () => this.#hint());
    try {
      let last: number | null | undefined;
      while (!this.#isOver()) {
        void this.#subscribe();
        this.#isStale = false;
        const seen = await this.#see();
        if (this.#isOver()) break;
        const revision = seen?.revision ?? null;
        if (revision !== last) yield seen?.info ?? null;
        else await this.#pause(seen?.leaseMs ?? Infinity);
        last = revision;
      }
    } finally {
      unwatch();
    }
    return undefined;
  }

  #isOver(): boolean {
    return this.#stop.signal.aborted || this.#session.ending.aborted;
  }

  #hint(): void {
    this.#isStale = true;
    this.#wake?.();
  }

  /** If it fails, it is tried again with the next look. */
  async #subscribe(): Promise<void> {
    if (this.#hints !== "none") return;
    this.#hints = "requested";
    const isPushed = await this.#session.calls.watchers.subscribe(this.#watched.key);
    this.#hints = isPushed ? "pushed" : "none";
    if (isPushed) this.#hint(); // what has changed until now was not pushed
  }

  /** A store that closes meanwhile refuses the call. */
  async #see(): Promise<SeenLeader<T> | null> {
    try {
      return await this.#watched.look();
    } catch (error) {
      if (this.#isOver()) return null;
      throw error;
    }
  }

  /** Until a hint, the end of the lease, or the interval. */
  #pause(leaseMs: number): Promise<void> {
    if (this.#isStale) return Promise.resolve();
    const { deadlines } = this.#session.calls;
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = undefined;
        deadlines.clear(deadline);
        for (const stop of stops) stop();
        resolve();
      };
      const deadline = deadlines.set(Math.min(this.#intervalMs, Math.max(leaseMs, shortestLeaseMs)), end);
      const stops = [onAbort(this.#stop.signal, end), onAbort(this.#session.ending, end)];
      this.#wake = end;
    });
  }

  get #intervalMs(): number {
    const isPushed = this.#hints === "pushed" && this.#session.backend.pushes;
    return this.#watched.intervalMs ?? (isPushed ? pushedIntervalMs : polledIntervalMs);
  }
}
