/**
 * Yields each change of who leads that it sees. No backend reports changes to those who do not campaign, so it asks at an
 * interval, and may miss a term that is shorter than that.
 */
import { withCallersStack } from "../../caller-stacks.ts";
import { onAbort } from "../../ownership/abort-listeners.ts";
import type { Session } from "../../session.ts";
import type { SeenLeader } from "./leader-record.ts";
import type { LeaderInfo } from "./leader.ts";

/** Each iterator asks by itself. */
export function changesOf<T>(
  session: Session,
  look: () => Promise<SeenLeader<T> | null>,
  intervalMs: number,
): AsyncIterable<LeaderInfo<T> | null> {
  return { [Symbol.asyncIterator]: () => new Watch(session, look, intervalMs) };
}

class Watch<T> implements AsyncIterator<LeaderInfo<T> | null, undefined> {
  readonly #session: Session;
  readonly #look: () => Promise<SeenLeader<T> | null>;
  readonly #intervalMs: number;
  readonly #stop = new AbortController();
  readonly #changes: AsyncGenerator<LeaderInfo<T> | null, undefined>;

  constructor(session: Session, look: () => Promise<SeenLeader<T> | null>, intervalMs: number) {
    this.#session = session;
    this.#look = look;
    this.#intervalMs = intervalMs;
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
    let last: number | null | undefined;
    while (!this.#isOver()) {
      const seen = await this.#see();
      if (this.#isOver()) break;
      const revision = seen?.revision ?? null;
      if (revision !== last) yield seen?.info ?? null;
      else await this.#interval();
      last = revision;
    }
    return undefined;
  }

  #isOver(): boolean {
    return this.#stop.signal.aborted || this.#session.ending.aborted;
  }

  /** A store that closes meanwhile refuses the call. */
  async #see(): Promise<SeenLeader<T> | null> {
    try {
      return await this.#look();
    } catch (error) {
      if (this.#isOver()) return null;
      throw error;
    }
  }

  #interval(): Promise<void> {
    const { deadlines } = this.#session.calls;
    return new Promise((resolve) => {
      const end = (): void => {
        deadlines.clear(deadline);
        for (const stop of stops) stop();
        resolve();
      };
      const deadline = deadlines.set(this.#intervalMs, end);
      const stops = [onAbort(this.#stop.signal, end), onAbort(this.#session.ending, end)];
    });
  }
}
