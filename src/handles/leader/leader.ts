/** The public interface of `store.leader()`: its options, its methods. The handle itself is in leader-handle.ts. */
import type { DurabilityOptions } from "../../options.ts";

/** Options of `store.leader()`. */
export interface LeaderOptions {
  /** How long the backend keeps the office of a leader that does not renew it, in milliseconds. */
  leaseMs?: number | undefined;
  /** How many replicas must have a term before its function is called. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `leader.run()`. */
export interface CampaignOptions<T> extends LeaderOptions {
  /** Ends the campaign: the promise rejects with `signal.reason`. Ends the term: `term.signal` aborts. */
  signal?: AbortSignal | undefined;
  /** What the leader proclaims: `current()` and `watch()` return it. */
  value?: T | undefined;
}

/** Options of `leader.watch()`. */
export interface WatchOptions {
  /**
   * How often the backend is asked, in milliseconds, 10 … 86 400 000, besides when it pushes a change. Default: 5 000
   * while it pushes changes, otherwise 1 000.
   */
  intervalMs?: number | undefined;
}

/** A leader's time in office. */
export interface Term<T> {
  /** The id of the office. */
  readonly id: string;
  /** Rises with every term: give it to other systems, so that they can refuse an earlier leader. */
  readonly fence: number;
  /** When the term began, by the clock of this machine. */
  readonly since: Date;
  /**
   * Aborts when the office is lost, before its lease ends (`reason`: LockLostError); when the term was resigned; when the
   * campaign's own signal aborts; when the store begins to close (ClosedError).
   */
  readonly signal: AbortSignal;
  /** Aborts when the store begins to close (`reason`: ClosedError), as `signal` does then. */
  readonly closing: AbortSignal;
  /**
   * Replaces what `current()` and `watch()` return as the value.
   *
   * @throws LockLostError if the office was lost.
   */
  proclaim(value: T): Promise<void>;
  /** Gives up the office now, before the function has returned. May be repeated. */
  resign(): Promise<void>;
}

/** Who leads. */
export interface LeaderInfo<T> {
  /** The id of the office. */
  readonly id: string;
  /** The fence of the term: see {@link Term.fence}. */
  readonly fence: number;
  /** When its term began, by its machine's clock. */
  readonly since: Date;
  /** What it proclaims; `undefined`: nothing. */
  readonly value: T | undefined;
  /** The name of its machine. */
  readonly host: string;
  /** The id of its process. */
  readonly pid: number;
  /** Whether it leads by this store. */
  readonly here: boolean;
}

/**
 * An office that one process has at a time.
 *
 * @example
 * ```ts
 * await store.leader("scheduler").run(async (term) => {
 *   while (!term.signal.aborted) await scheduleNext({ fence: term.fence, signal: term.signal });
 * }, { signal: shutdown });
 * ```
 */
export interface Leader<T = unknown> {
  /** The id of the office, as it was given. */
  readonly id: string;
  /**
   * Waits for the office for as long as it takes, then calls `fn`. If the office is lost while `fn` runs, waits for `fn`
   * to end, and campaigns again. While the backend does not answer, it goes on trying.
   *
   * @returns what `fn` returned in a term that was not lost.
   * @throws what `fn` threw, except for errors that come from the loss of the office; the reason of `signal` if it aborted
   * while waiting; ClosedError.
   */
  run<R>(fn: (term: Term<T>) => R | Promise<R>, options?: CampaignOptions<T>): Promise<R>;
  /** Returns who leads; `null`: no process does, or its term has only just begun. */
  current(): Promise<LeaderInfo<T> | null>;
  /**
   * Yields who leads now, and then each change that it sees: another term, another value, or none. It may skip some. It sees
   * a change at once on Redis and in memory, within 100 ms in a SQLite file, and within `intervalMs` if a message is lost.
   * It ends when the store begins to close, and throws if the backend does not answer.
   */
  watch(options?: WatchOptions): AsyncIterable<LeaderInfo<T> | null>;
}
