/**
 * Yields what it sees of something that changes: what is there now, then each change. It asks when a hint says that
 * something has changed, when what it has seen would end, and at an interval, since hints may be lost. So it may skip what
 * did not last, and it never shows what has been over for longer than the interval.
 *
 * Only a `next()` that waits listens and has a timer: an iterator that is dropped leaves nothing behind.
 */
import { withCallersStack } from "../caller-stacks.ts";
import { onAbort } from "../ownership/abort-listeners.ts";
import type { Session } from "../session.ts";

/** How often it asks by default: rarely while the backend pushes hints. */
const pushedIntervalMs = 5_000;
const polledIntervalMs = 1_000;
/** What ends in less than this is asked about again after it. */
const shortestMs = 1;

/** What was seen. */
export interface Seen<V> {
  /** Equal as long as nothing changes. */
  readonly version: number | null;
  /** Called once, if the version is new. */
  readonly value: () => V;
  /** When it ends by itself, in milliseconds from now; `null`: it does not. */
  readonly endsInMs: number | null;
}

export interface Watched<V> {
  readonly session: Session;
  readonly id: string;
  readonly look: () => Promise<Seen<V>>;
  /** `undefined`: the default. */
  readonly intervalMs: number | undefined;
  /** Ends it, as the end of the store does. */
  readonly signal?: AbortSignal | undefined;
  /** Called when a look fails after one that did not. Returns whether to go on asking. */
  readonly outlasts: (error: unknown) => boolean;
}

/** Each iterator asks by itself. */
export function changesOf<V>(watched: Watched<V>): AsyncIterable<V> {
  return { [Symbol.asyncIterator]: () => new Changes(watched) };
}

class Changes<V> implements AsyncIterator<V, undefined> {
  readonly #watched: Watched<V>;
  readonly #stop = new AbortController();
  readonly #changes: AsyncGenerator<V, undefined>;
  /** Whether there was a hint since it last began to look. */
  #isStale = false;
  /** Ends a wait. */
  #wake: (() => void) | undefined;

  constructor(watched: Watched<V>) {
    this.#watched = watched;
    this.#changes = this.#generate();
  }

  async next(): Promise<IteratorResult<V, undefined>> {
    const { keepAlive, watchers } = this.#session.calls;
    keepAlive.ref(); // [P1]
    const unwatch = watchers.add(this.#watched.id, () => this.#hint());
    try {
      return await withCallersStack(() => this.#changes.next());
    } finally {
      unwatch();
      keepAlive.unref();
    }
  }

  /** Ends a `next()` that waits, too. */
  return(): Promise<IteratorResult<V, undefined>> {
    this.#stop.abort();
    return this.#changes.return(undefined);
  }

  async *#generate(): AsyncGenerator<V, undefined> {
    let last: Seen<V> | undefined;
    while (!this.#isOver()) {
      void this.#subscribe();
      this.#isStale = false;
      const seen = await this.#see(last);
      if (this.#isOver()) break;
      const isNew = seen !== undefined && seen.version !== last?.version;
      last = seen ?? last;
      if (isNew) yield seen.value();
      else await this.#pause(seen?.endsInMs ?? Infinity);
    }
    return undefined;
  }

  get #session(): Session {
    return this.#watched.session;
  }

  #isOver(): boolean {
    const { signal, session } = this.#watched;
    return this.#stop.signal.aborted || signal?.aborted === true || session.ending.aborted;
  }

  #hint(): void {
    this.#isStale = true;
    this.#wake?.();
  }

  /** If it fails, it is tried again with the next look. */
  async #subscribe(): Promise<void> {
    const { watchers } = this.#session.calls;
    if (watchers.isPushed(this.#watched.id)) return;
    if (await watchers.subscribe(this.#watched.id)) this.#hint(); // what has changed until now was not pushed
  }

  /** `undefined`: it is over, or the backend did not answer. A store that closes meanwhile refuses the call. */
  async #see(last: Seen<V> | undefined): Promise<Seen<V> | undefined> {
    try {
      return await this.#unlessOver(this.#watched.look());
    } catch (error) {
      if (this.#isOver() || (last !== undefined && this.#watched.outlasts(error))) return undefined;
      throw error;
    }
  }

  /** `undefined` if it is over before. */
  #unlessOver<R>(result: Promise<R>): Promise<R | undefined> {
    return new Promise((resolve, reject) => {
      const stop = this.#whenOver(() => end(() => resolve(undefined)));
      const end = (settle: () => void): void => {
        stop();
        settle();
      };
      result.then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error)),
      );
    });
  }

  /** Until a hint, the end of what was seen, or the interval. */
  #pause(endsInMs: number): Promise<void> {
    if (this.#isStale) return Promise.resolve();
    const { deadlines } = this.#session.calls;
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = undefined;
        deadlines.clear(deadline);
        stop();
        resolve();
      };
      const deadline = deadlines.set(Math.min(this.#intervalMs, Math.max(endsInMs, shortestMs)), end);
      const stop = this.#whenOver(end);
      this.#wake = end;
    });
  }

  /** The returned function stops it. */
  #whenOver(end: () => void): () => void {
    const { signal, session } = this.#watched;
    const signals = [this.#stop.signal, session.ending, ...(signal === undefined ? [] : [signal])];
    const stops = signals.map((one) => onAbort(one, end));
    return () => {
      for (const stop of stops) stop();
    };
  }

  get #intervalMs(): number {
    const { calls, backend } = this.#session;
    const isPushed = calls.watchers.isPushed(this.#watched.id) && backend.pushes;
    return this.#watched.intervalMs ?? (isPushed ? pushedIntervalMs : polledIntervalMs);
  }
}
