/**
 * One connection that is kept up: opened when first wanted, and opened again when it breaks, until it is closed.
 *
 * It knows no commands. Every connection is a new socket object that never reconnects by itself, so that the pauses
 * and the timers are ours: none of them keeps the process alive [P1], and nothing is sent twice. What was refused for
 * good (a wrong password) is not tried again in the background: only when somebody wants the connection, and then not
 * at once, so that an idle store logs in no more.
 */
import { UnavailableError, type HoldfastError } from "../../../errors.ts";
import { after, now, pause } from "../../../timers.ts";

/** What a connection must be able to do. */
export interface Transport {
  connect(): Promise<unknown>;
  /** Ends it at once, for that reason; what is under way fails. */
  destroy(why?: Error): void;
  on(event: "error" | "end" | "ready", listener: (error?: unknown) => void): unknown;
}

export interface ConnectionOptions<C extends Transport> {
  /** Makes a connection that is not connected yet. */
  readonly make: () => C | Promise<C>;
  /** What else must succeed before it counts as up. */
  readonly prepare?: ((connection: C) => Promise<unknown>) | undefined;
  /** How long one attempt may take. */
  readonly attemptMs: number;
  /** What a failure to connect means, or that it broke. */
  readonly explain: (error: Error) => HoldfastError;
  readonly onUp?: (() => void) | undefined;
  /** It broke, or an attempt failed. */
  readonly onDown?: ((failure: HoldfastError) => void) | undefined;
}

/** Pauses before the attempts: at once after a break, then soon, then every half second. */
const pausesMs = [0, 25, 50, 100, 200, 400, 500];
/** After a refusal that cannot pass by itself: how long a call gets the same answer without another attempt. */
const restsMs = [1_000, 2_000, 4_000, 8_000, 10_000];
/** After so many failures in a row nobody is kept waiting through a pause: what has not been sent can be told apart. */
const shortFailures = 3;
/** An attempt's time is counted in so many steps. */
const steps = 4;

export class Connection<C extends Transport> {
  readonly #options: ConnectionOptions<C>;
  #connection: C | undefined;
  #attempt: Promise<void> | undefined;
  /** Rises when attempts that are under way are not wanted any more. */
  #round = 0;
  #failures = 0;
  #failure: HoldfastError | undefined;
  #isPausing = false;
  #restsUntil = -Infinity;
  #closed = false;

  constructor(options: ConnectionOptions<C>) {
    this.#options = options;
  }

  /** The connection, while it is up. */
  get up(): C | undefined {
    return this.#connection;
  }

  /**
   * `undefined` while it is up. Else joins the attempt that is under way, or starts one; rejects with that attempt's
   * failure, in a pause with the last.
   */
  connect(): Promise<void> | undefined {
    if (this.#connection !== undefined) return undefined;
    if (this.#closed) return Promise.reject(this.#options.explain(new Error("closed")));
    if (this.#failure !== undefined && this.#isToWait()) return Promise.reject(this.#failure);
    return (this.#attempt ??= this.#try(this.#round));
  }

  /** Connects, if it does not already; it goes on by itself, and `onDown` is told of each failure. */
  begin(): void {
    if (this.#attempt === undefined) this.connect()?.catch(() => undefined);
  }

  /** Ends the connection, with all that is under way on it, and connects anew. */
  drop(error: Error): void {
    const connection = this.#connection;
    if (connection !== undefined) this.#broke(connection, error);
  }

  /** Takes the connection out of service, and connects anew. Ending it is left to the caller. */
  replace(error: Error): C | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    this.#connection = undefined;
    this.#goOn(this.#options.explain(error));
    return connection;
  }

  /** Ends the connection, or the attempt, and does not connect before `connect()` is called. */
  suspend(error: Error): void {
    this.#round += 1;
    this.#attempt = undefined;
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined; // first: ending it says so to us, too
    end(connection, error);
    this.#options.onDown?.(this.#options.explain(error));
  }

  close(): void {
    this.#closed = true;
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) end(connection);
  }

  #isToWait(): boolean {
    if (this.#isPausing) return this.#failures >= shortFailures;
    return now() < this.#restsUntil;
  }

  async #try(round: number): Promise<void> {
    try {
      await this.#pause();
      const connection = await this.#open(round);
      this.#attempt = undefined;
      this.#failures = 0;
      this.#failure = undefined;
      this.#connection = connection;
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
      const restMs = restsMs[Math.min(this.#failures, restsMs.length - 1)] ?? 0;
      this.#restsUntil = now() + restMs;
    }
    this.#failures += 1;
    this.#goOn(failure);
  }

  /** Half of it at random, so that many processes do not come back in step. */
  async #pause(): Promise<void> {
    const ms = pausesMs[Math.min(this.#failures, pausesMs.length - 1)] ?? 0;
    if (ms === 0 || isLasting(this.#failure)) return;
    this.#isPausing = true;
    await pause(ms * (0.5 + Math.random() / 2));
    this.#isPausing = false;
  }

  async #open(round: number): Promise<C> {
    this.#mustBeWanted(round);
    const connection = await this.#options.make();
    const broken = new Promise<never>((_, reject) => {
      const onBreak = (error?: unknown): void => {
        const cause = error === undefined ? new Error("the connection was closed") : toError(error);
        reject(cause); // the first counts: what breaks it, before what that does to the package
        this.#broke(connection, cause);
      };
      connection.on("error", onBreak);
      connection.on("end", onBreak);
    });
    try {
      await within(this.#options.attemptMs, Promise.race([broken, this.#prepared(connection)]));
      this.#mustBeWanted(round);
      return connection;
    } catch (error) {
      // Destroyed while it was still connecting, a socket may come up all the same.
      connection.on("ready", () => end(connection));
      end(connection);
      throw error;
    }
  }

  async #prepared(connection: C): Promise<void> {
    await connection.connect();
    await this.#options.prepare?.(connection);
  }

  #mustBeWanted(round: number): void {
    if (this.#closed) throw new Error("closed");
    if (round !== this.#round) throw new Error("the attempt is not wanted any more");
  }

  #broke(connection: C, error: Error): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    end(connection, error);
    this.#goOn(this.#options.explain(error));
  }

  #goOn(failure: HoldfastError): void {
    if (this.#closed) return;
    const round = this.#round;
    this.#options.onDown?.(failure);
    if (round !== this.#round || isLasting(failure)) return;
    this.begin();
  }
}

/** Some versions of the package throw at what is ended already. */
export function end(connection: Transport, why?: Error): void {
  try {
    connection.destroy(why);
  } catch {
    // it is ended, which is all that was wanted
  }
}

/** What is no outage, such as a server of the wrong kind, does not pass either. */
function isLasting(failure: HoldfastError | undefined): boolean {
  return failure instanceof UnavailableError ? failure.lasting : failure !== undefined;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = countDown(ms, () => reject(new Error(`no answer within ${String(ms)} ms`)));
    promise.then(resolve, reject).finally(stop);
  });
}

/**
 * Calls `fn` after `ms`, in steps: one in which the event loop was blocked is counted again, once, since what arrived in
 * it has not been read. Answers how to stop it.
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
