/** What `createTestWorld()` takes and gives. */
import type { OpenOptions } from "../../options.ts";
import type { Store } from "../../store/store.ts";
import type { Held } from "./held.ts";

/** Options of `createTestWorld()`. */
export interface TestWorldOptions {
  /** Options of the store of the first process, as for `open()`. */
  open?: OpenOptions | undefined;
  /**
   * Moves the fake timers of your test by so many milliseconds, and awaits what they call, such as
   * `(ms) => vi.advanceTimersByTimeAsync(ms)`. Install the fake timers first. Without it, the world has timers of its own.
   */
  advanceTimers?: ((ms: number) => unknown) | undefined;
}

/** Options of an outage. */
export interface OutageOptions {
  /** It ends after so many milliseconds of the world's time. Default: when `end()` is called. */
  forMs?: number | undefined;
}

/** Options of `until()`. */
export interface UntilOptions {
  /** By how many milliseconds the time is moved at most. Default: 600 000. */
  withinMs?: number | undefined;
}

/** The backend cannot be reached until it ends. */
export interface Outage extends Disposable {
  /** Ends it. May be repeated. */
  end(): void;
}

/** A process of a test world. */
export interface TestProcess {
  /** Its name in the world. */
  readonly name: string;
  /** Its store: what it holds, the other processes of the world cannot have. */
  readonly store: Store;
  /** Whether it has crashed. */
  readonly isDead: boolean;
  /**
   * Ends it as `kill -9` does: it releases nothing, its leases end by time, and its calls, also those in progress, never
   * settle. `world.process(name)` starts it again.
   */
  crash(): void;
  /** The backend cannot be reached by this process: its calls are retried, and then fail with UNREACHABLE. */
  outage(options?: OutageOptions): Outage;
}

/** Several processes on one store in memory, and the time, which the test moves. */
export interface TestWorld extends AsyncDisposable {
  /** The store of the first process, `world.process("main")`. */
  readonly store: Store;
  /** How far the time has been moved, in milliseconds. */
  readonly now: number;
  /**
   * Returns the process of this name; starts it if there is none, or if it has crashed.
   *
   * @param options of its store, as for `open()`; only when it is started.
   */
  process(name: string, options?: OpenOptions): TestProcess;
  /**
   * Moves the time by `ms` milliseconds: leases are renewed or end, waits time out, states expire, in the order of their
   * times. Does not wait.
   */
  advance(ms: number): Promise<void>;
  /** Lets everything go on that needs no time: calls are answered, waiters get what was released. */
  settle(): Promise<void>;
  /**
   * Moves the time until the promise has settled, by `withinMs` at most (default 600 000), and returns its value.
   *
   * @throws what it was rejected with; AssertionError if it has not settled; InvalidArgumentError if it is no promise.
   */
  until<T>(promise: PromiseLike<T>, options?: UntilOptions): Promise<T>;
  /** Resolves after `ms` milliseconds of the world's time: for functions of your test that take a while. */
  sleep(ms: number): Promise<void>;
  /**
   * Takes a grant from its holder, as if its lease had ended while the process was stopped: its signal aborts, what it saves
   * is refused with LOCK_LOST, and the next waiter gets the lock.
   *
   * @param held a grant of a lock, of several or of a semaphore, an attempt of a once, a term of a leader.
   * @throws InvalidArgumentError if it is none of these, or is not held in this world.
   */
  lose(held: Held): Promise<void>;
  /** The backend cannot be reached by any process that runs now: calls are retried, and then fail with UNREACHABLE. */
  outage(options?: OutageOptions): Outage;
  /** Closes all stores, without waiting for functions, and lets the time go on as usual. May be repeated. */
  close(): Promise<void>;
}
