/**
 * One connection that is kept up: opened when first needed, opened again when it breaks, until it is closed.
 *
 * It knows no commands. Each attempt makes a new transport that never reconnects by itself, so that pauses and timers
 * are ours: none keeps the process alive [P1], and nothing is sent twice. After a lasting refusal (a wrong password) it
 * does not retry in the background, only on demand and after a pause, so that an idle store stops logging in.
 */
import { isError, UnavailableError, type HoldfastError } from "../../../errors.ts";
import { after, now, pause } from "../../../timers.ts";

/** What is connected: a socket of ours, or a client of the package. */
export interface Transport {
  connect(): Promise<unknown>;
  /** Ends it at once, for that reason; commands in flight fail. */
  destroy(why?: Error): void;
  on(event: "error" | "end" | "ready", listener: (error?: unknown) => void): unknown;
}

export interface ConnectionOptions<C extends Transport> {
  /** Makes a transport that is not connected yet. */
  readonly make: () => C | Promise<C>;
  /** What must succeed before it counts as connected. */
  readonly prepare?: ((transport: C) => Promise<unknown>) | undefined;
  /** How long one attempt may take. */
  readonly attemptMs: number;
  /** The error for a failed attempt, or for a break. */
  readonly explain: (error: Error) => HoldfastError;
  readonly onUp?: (() => void) | undefined;
  /** It broke, or an attempt failed. */
  readonly onDown?: ((failure: HoldfastError) => void) | undefined;
}

/** Pauses before the attempts: none after a break, then short ones, then half a second. */
const pausesMs = [0, 25, 50, 100, 200, 400, 500];
/** After a lasting failure: how long a call gets the same error without another attempt. */
const lastingPausesMs = [1_000, 2_000, 4_000, 8_000, 10_000];
/** After this many failures in a row, calls do not wait through a pause: they fail immediately, with the outcome "none". */
const failuresBeforeRefusing = 3;
/** The time of an attempt is counted in this many steps. */
const steps = 4;

export class Connection<C extends Transport> {
  readonly #options: ConnectionOptions<C>;
  #current: C | undefined;
  /** Of the pending attempt, once it is made. */
  #opening: C | undefined;
  #attempt: Promise<void> | undefined;
  /** Rises when the pending attempt is abandoned. */
  #round = 0;
  #failures = 0;
  #failure: HoldfastError | undefined;
  #isPausing = false;
  #backsOffUntil = -Infinity;
  #closed = false;

  constructor(options: ConnectionOptions<C>) {
    this.#options = options;
  }

  /** The transport, while it is connected. */
  get current(): C | undefined {
    return this.#current;
  }

  /**
   * `undefined` while connected. Else joins the pending attempt, or starts one; rejects with the failure of that
   * attempt or, in a pause, of the last one.
   */
  connect(): Promise<void> | undefined {
    if (this.#current !== undefined) return undefined;
    if (this.#closed) return Promise.reject(this.#options.explain(new Error("closed")));
    if (this.#failure !== undefined && this.#isBackingOff()) return Promise.reject(this.#failure);
    return (this.#attempt ??= this.#try(this.#round));
  }

  /** Connects, if no attempt is pending, and retries by itself; `onDown` gets each failure. */
  start(): void {
    if (this.#attempt === undefined) this.connect()?.catch(() => undefined);
  }

  /** Ends the transport, with all commands in flight, and connects again. */
  drop(error: Error): void {
    const transport = this.#current;
    if (transport !== undefined) this.#handleBreak(transport, error);
  }

  /** Takes the transport out of service, and connects again. The caller ends the old transport. */
  replace(error: Error): C | undefined {
    const transport = this.#current;
    if (transport === undefined) return undefined;
    this.#current = undefined;
    this.#reconnect(this.#options.explain(error));
    return transport;
  }

  /** Ends the transport, or the attempt, and does not connect before `connect()` is called. */
  suspend(error: Error): void {
    this.#round += 1;
    this.#attempt = undefined;
    if (this.#opening !== undefined) destroyForGood(this.#opening, error);
    const transport = this.#current;
    if (transport === undefined) return;
    this.#current = undefined; // first, since ending it also calls our listeners
    destroy(transport, error);
    this.#options.onDown?.(this.#options.explain(error));
  }

  close(): void {
    this.#closed = true;
    if (this.#opening !== undefined) destroyForGood(this.#opening);
    const transport = this.#current;
    this.#current = undefined;
    if (transport !== undefined) destroy(transport);
  }

  #isBackingOff(): boolean {
    if (this.#isPausing) return this.#failures >= failuresBeforeRefusing;
    return now() < this.#backsOffUntil;
  }

  async #try(round: number): Promise<void> {
    try {
      await this.#pause();
      const transport = await this.#open(round);
      this.#attempt = undefined;
      this.#failures = 0;
      this.#failure = undefined;
      this.#current = transport;
      this.#options.onUp?.();
    } catch (error) {
      const failure = this.#options.explain(toError(error));
      if (round === this.#round) this.#failed(failure);
      throw failure;
    }
  }

  #failed(failure: HoldfastError): void {
    this.#attempt = undefined;
    this.#failure = failure;
    if (isLasting(failure)) {
      const backOffMs = lastingPausesMs[Math.min(this.#failures, lastingPausesMs.length - 1)] ?? 0;
      this.#backsOffUntil = now() + backOffMs;
    }
    this.#failures += 1;
    this.#reconnect(failure);
  }

  /** Half of it is random, so that many processes do not reconnect in step. */
  async #pause(): Promise<void> {
    const ms = pausesMs[Math.min(this.#failures, pausesMs.length - 1)] ?? 0;
    if (ms === 0 || isLasting(this.#failure)) return;
    this.#isPausing = true;
    await pause(ms * (0.5 + Math.random() / 2));
    this.#isPausing = false;
  }

  /** The time limit includes making it, since that may have to find the server first. */
  async #open(round: number): Promise<C> {
    this.#throwIfAbandoned(round);
    let made: C | undefined;
    let isOver = false;
    const opened = async (): Promise<C> => {
      made = await this.#options.make();
      if (isOver) throw new Error("it was made too late"); // nothing has been opened yet
      this.#throwIfAbandoned(round);
      this.#opening = made;
      await Promise.race([this.#broken(made), this.#prepared(made)]);
      this.#throwIfAbandoned(round);
      return made;
    };
    try {
      return await within(this.#options.attemptMs, opened());
    } catch (error) {
      isOver = true;
      if (made !== undefined) destroyForGood(made);
      throw error;
    } finally {
      if (this.#opening === made) this.#opening = undefined;
    }
  }

  /** Rejects with why it broke: the first rejection counts, which is the cause of those that follow in the package. */
  #broken(transport: C): Promise<never> {
    return new Promise((_, reject) => {
      const onBreak = (error?: unknown): void => {
        const cause = error === undefined ? new Error("the connection was closed") : toError(error);
        reject(cause);
        this.#handleBreak(transport, cause);
      };
      transport.on("error", onBreak);
      transport.on("end", onBreak);
    });
  }

  async #prepared(transport: C): Promise<void> {
    await transport.connect();
    await this.#options.prepare?.(transport);
  }

  #throwIfAbandoned(round: number): void {
    if (this.#closed) throw new Error("closed");
    if (round !== this.#round) throw new Error("the attempt was abandoned");
  }

  #handleBreak(transport: C, error: Error): void {
    if (this.#current !== transport) return;
    this.#current = undefined;
    destroy(transport, error);
    this.#reconnect(this.#options.explain(error));
  }

  #reconnect(failure: HoldfastError): void {
    if (this.#closed) return;
    const round = this.#round;
    this.#options.onDown?.(failure);
    if (round !== this.#round || isLasting(failure)) return;
    this.start();
  }
}

/** Some versions of the package throw if it is ended already. */
export function destroy(transport: Transport, why?: Error): void {
  try {
    transport.destroy(why);
  } catch {
    // it is ended, as intended
  }
}

/** A socket that is destroyed while it is connecting may still connect. */
export function destroyForGood(transport: Transport, why?: Error): void {
  transport.on("ready", () => destroy(transport));
  destroy(transport, why);
}

/** An error that is no outage, such as a server of the wrong kind, is lasting, too. */
function isLasting(failure: HoldfastError | undefined): boolean {
  return failure instanceof UnavailableError ? failure.lasting : failure !== undefined;
}

export function toError(error: unknown): Error {
  return isError(error) ? error : new Error(String(error));
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = countDown(ms, () => reject(new Error(`no answer within ${String(ms)} ms`)));
    promise.then(resolve, reject).finally(stop);
  });
}

/**
 * Calls `fn` after `ms`, counted in steps: one step in which the event loop was blocked is repeated, once, since data that
 * arrived in it has not been read. Returns a function that stops it.
 */
function countDown(ms: number, fn: () => void): () => void {
  const stepMs = ms / steps;
  let left = steps;
  let mayRepeat = true;
  const step = (): { stop(): void } => {
    const dueAt = now() + stepMs;
    return after(stepMs, () => {
      if (mayRepeat && now() - dueAt > stepMs / 2) mayRepeat = false;
      else left -= 1;
      if (left > 0) timer = step();
      else fn();
    });
  };
  let timer = step();
  return () => timer.stop();
}
