/**
 * Where the library's time comes from: Node, or a test that moves it (holdfast/testing, test/simulation).
 *
 * There is one source at a time. A store keeps the one that was in use when it was opened for its deadlines; `now()` is
 * always that of the source in use.
 */

/** Something that will happen, unless it is stopped before. */
export interface Stoppable {
  stop(): void;
}

/** While it is referenced, the process stays alive. Made unreferenced. */
export interface KeepsAlive {
  ref(): void;
  unref(): void;
  close(): void;
}

export interface TimeSource {
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** The time of day, in milliseconds since 1970. */
  readonly wallNow: () => number;
  /** Calls `fn` after `ms`. Does not keep the process alive. */
  readonly later: (ms: number, fn: () => void) => Stoppable;
  /** Calls `fn` in the next turn of the event loop. Keeps the process alive until then. */
  readonly turn: (fn: () => void) => void;
  readonly keepAlive: () => KeepsAlive;
  /** From 0 to 1, for how long a pause is. Without it, at random; with it, the same program takes the same time again. */
  readonly random?: () => number;
}
