/**
 * Runs the routine of `using` and extends its lock meanwhile: when less than the threshold is left, and again after a
 * failure, until the lock is over. Then, or as soon as the lock is lost, the signal aborts. What counts is the monotonic
 * clock: the time of day may be set meanwhile.
 */
import { isError } from "../errors.ts";
import { after, pause, type Stoppable } from "../timers.ts";
import { ExecutionError } from "./errors.ts";

/** An AbortSignal that says why it aborted in `error`, too. */
export type RedlockAbortSignal = AbortSignal & {
  /** Why it aborted: an extension failed, or the lock was lost. */
  error?: Error;
};

/** What the second argument of a routine tells: the lock as it is now, and how often it was extended. */
export interface UsingContext<L> {
  /** The lock as it is now. */
  lock: L;
  /** How often it was extended. */
  extensions: number;
}

interface Held {
  readonly signal: AbortSignal;
  release(): Promise<unknown>;
}

interface How<L> {
  readonly thresholdMs: number;
  /** For how long it is safe to rely on the lock; 0: no longer. */
  readonly leftMs: () => number;
  /** Gives the lock its whole duration again. */
  readonly extend: (lock: L) => Promise<L>;
}

/** After a call that failed at once, such as without a connection; and if less than the threshold is left at once. */
const pauseMs = 50;

/** Returns or throws what the routine does, but throws if the lock was lost although the routine succeeded. */
export async function runExtending<L extends Held, T>(
  lock: L,
  how: How<L>,
  routine: (signal: RedlockAbortSignal, context: UsingContext<L>) => Promise<T> | T,
): Promise<T> {
  const extension = new AutomaticExtension(lock, how);
  const { context, signal } = extension;
  let result: T;
  try {
    result = await routine(signal, context);
  } catch (error) {
    await extension.stop();
    await context.lock.release().catch(() => undefined); // it was emitted; the caller learns the routine's error
    throw error;
  }
  await extension.stop();
  await context.lock.release();
  return result;
}

class AutomaticExtension<L extends Held> {
  readonly context: UsingContext<L>;
  readonly #controller = new AbortController();
  readonly #how: How<L>;
  #timer: Stoppable | undefined;
  #extending: Promise<void> | undefined;
  readonly #lost = (): void => this.#abort(lossOf(this.context.lock.signal));
  #isOver = false;

  constructor(lock: L, how: How<L>) {
    this.context = { lock, extensions: 0 };
    this.#how = how;
    lookFirst(this.#controller.signal, () => this.context.lock.signal);
    lock.signal.addEventListener("abort", this.#lost, { once: true }); // it is that of each extension, too
    if (lock.signal.aborted) this.#lost();
    else this.#extendInTime();
  }

  get signal(): RedlockAbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when no extension is in progress any more. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#timer?.stop();
    this.context.lock.signal.removeEventListener("abort", this.#lost);
    await this.#extending;
  }

  #extendInTime(): void {
    if (this.#isOver) return;
    const leftMs = this.#how.leftMs();
    const dueMs = Math.max(leftMs - this.#how.thresholdMs, Math.min(pauseMs, leftMs / 2));
    this.#timer = after(dueMs, () => {
      this.#extending = this.#extend();
    });
  }

  async #extend(): Promise<void> {
    while (!this.#isOver) {
      try {
        this.context.lock = await this.#how.extend(this.context.lock);
        this.context.extensions += 1;
        this.#extendInTime();
        return;
      } catch (error) {
        if (this.#how.leftMs() === 0) this.#abort(error as Error);
        else await pause(pauseMs);
      }
    }
  }

  #abort(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.stop();
    this.signal.error = error;
    this.#controller.abort(error);
  }
}

/** The signal looks at the lock before it says whether it has aborted: after a pause, no timer may have fired yet [L5]. */
function lookFirst(signal: AbortSignal, look: () => unknown): void {
  Object.defineProperties(signal, {
    aborted: {
      configurable: true,
      get: () => {
        look();
        return Reflect.get(AbortSignal.prototype, "aborted", signal);
      },
    },
    throwIfAborted: {
      configurable: true,
      value: () => {
        look();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}

/** As if an extension had failed: programs look for its class. */
function lossOf({ reason: cause }: AbortSignal): ExecutionError {
  return new ExecutionError(isError(cause) ? cause.message : String(cause), [], { cause });
}
