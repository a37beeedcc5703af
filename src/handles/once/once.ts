/** The public interface of `store.once()`: its options, its methods. The handle itself is in once-handle.ts. */
import type { DurabilityOptions } from "../../options.ts";
import type { SerializerName } from "../../serializers/named.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import type { OnceAttempt } from "../../updates/once-changes.ts";

/** Options of `store.once()`. */
export interface OnceOptions {
  /** How long the result is remembered, in milliseconds; `Infinity`: until `forget()`. */
  keepMs: number;
  /**
   * What the key stands for, such as the payload of a request: text, or any value that the serializer can keep. Its hash
   * is stored. The same key with another fingerprint is a ConflictError.
   */
  fingerprint?: unknown;
  /**
   * What becomes of an error that the function throws. "retry": nothing is remembered, and the next caller runs the
   * function again. "remember": later callers get an error with the same name, message and code. Default "retry".
   */
  errors?: "retry" | "remember" | undefined;
  /**
   * The result is remembered at least until this long after the function was called, in milliseconds, by the server's
   * clock, even if `keepMs` is less. So a job that is shorter than the difference between two machines' clocks does not
   * run on both. Default 0.
   */
  minHoldMs?: number | undefined;
  /**
   * How the record is serialized: an object that holds the result, so not as `"text"` or `"bytes"`. Default: the store's,
   * or `"json"` if that keeps texts or bytes only.
   */
  serializer?: Exclude<SerializerName, "text" | "bytes"> | Serializer | undefined;
  /** How long the backend keeps the lock of a runner that does not renew it, in milliseconds. */
  leaseMs?: number | undefined;
  /** How long a call waits for another one that runs the function, in milliseconds. */
  waitMs?: number | undefined;
  /** How many replicas must have the result before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `once.run()`; they override those of the handle. */
export interface OnceRunOptions extends OnceTryOptions {
  /** As {@link OnceOptions.waitMs}. */
  waitMs?: number | undefined;
}

/** Options of `once.tryRun()`. */
export interface OnceTryOptions {
  /** As {@link OnceOptions.leaseMs}. */
  leaseMs?: number | undefined;
  /** As {@link OnceOptions.durability}. */
  durability?: DurabilityOptions | undefined;
  /** Ends waiting: the promise rejects with `signal.reason`. Ignored once the function runs. */
  signal?: AbortSignal | undefined;
}

/** Options of `once.forget()`. */
export interface ForgetOptions {
  /** How long to wait while a function runs, in milliseconds. */
  waitMs?: number | undefined;
  /** How many replicas must have the change before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
  /** Ends waiting: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** The result of `once.tryRun()`. `ran`: this call ran the function; otherwise the value was remembered. */
export interface OnceResult<R> {
  /** Whether this call ran the function. */
  readonly ran: boolean;
  /** What the function returned, now or before. */
  readonly value: R;
}

/** What is remembered for a key: a value, or an error with `errors: "remember"`. */
export type Remembered =
  | {
      /** What the function returned. */
      readonly value: unknown;
    }
  | {
      /** An error with the name, message and code of the one that the function threw. */
      readonly error: Error;
    };

/**
 * A key for which a function is run once, and its result is remembered.
 *
 * @example
 * ```ts
 * const welcome = store.once("welcome:42", { keepMs: 86_400_000 });
 * await welcome.run(async ({ fence, signal }) => sendWelcome(42, { fence, signal }));
 * ```
 */
export interface Once {
  /** The key, as it was given. */
  readonly id: string;
  /**
   * Returns the remembered result; otherwise waits while another call runs its function, and returns the result of that;
   * otherwise runs `fn`, and remembers what it returns. Each caller gets a copy of its own.
   *
   * @throws what `fn` threw; with `errors: "remember"`, an error like the one that was remembered; ConflictError if the
   * key was used with another fingerprint; LockTimeoutError if another call ran its function for `waitMs`; LockLostError
   * if the lock was lost while `fn` ran, with its value in `error.result`; SerializationError if the value of `fn`
   * cannot be kept; UnavailableError.
   */
  run<R>(fn: (attempt: OnceAttempt) => R | Promise<R>, options?: OnceRunOptions): Promise<R>;
  /** As `run`, but does not wait: returns `null` while another call runs its function. */
  tryRun<R>(
    fn: (attempt: OnceAttempt) => R | Promise<R>,
    options?: OnceTryOptions,
  ): Promise<OnceResult<R> | null>;
  /** Returns what is remembered, `null` if nothing is. Runs nothing, waits for nothing. */
  peek(): Promise<Remembered | null>;
  /** Forgets the result and the number of attempts, once no function runs: the next call runs its function. */
  forget(options?: ForgetOptions): Promise<void>;
}
