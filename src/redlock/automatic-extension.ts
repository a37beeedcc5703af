/**
 * Extends the lock of `using` while its routine runs: when less than the threshold is left, and again after a failure, until
 * the lock is over. Then, or as soon as the lock is lost, the signal aborts.
 */
import { isError } from "../errors.ts";
import { after, pause, wallNow, type Stoppable } from "../timers.ts";
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

interface Extendable<L> {
  readonly expiration: number;
  readonly signal: AbortSignal;
  extend(duration: number): Promise<L>;
}

/** After a call that failed at once, such as without a connection. */
const pauseMs = 50;

export class AutomaticExtension<L extends Extendable<L>> {
  readonly context: UsingContext<L>;
  readonly #controller = new AbortController();
  readonly #durationMs: number;
  readonly #thresholdMs: number;
  #timer: Stoppable | undefined;
  #extending: Promise<void> | undefined;
  readonly #lost = (): void => this.#abort(lossOf(this.context.lock.signal));
  #isOver = false;

  constructor(lock: L, of: { readonly durationMs: number; readonly thresholdMs: number }) {
    this.context = { lock, extensions: 0 };
    this.#durationMs = of.durationMs;
    this.#thresholdMs = of.thresholdMs;
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
    const leftMs = this.context.lock.expiration - wallNow();
    this.#timer = after(Math.max(0, leftMs - this.#thresholdMs), () => {
      this.#extending = this.#extend();
    });
  }

  async #extend(): Promise<void> {
    while (!this.#isOver) {
      try {
        this.context.lock = await this.context.lock.extend(this.#durationMs);
        this.context.extensions += 1;
        this.#extendInTime();
        return;
      } catch (error) {
        if (this.context.lock.expiration <= wallNow()) this.#abort(error as Error);
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
