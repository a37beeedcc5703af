/**
 * One connection that is kept up: opened when first wanted, opened again for ever when it breaks, until it is closed.
 *
 * It knows no commands. Every connection is a new socket object that never reconnects by itself, so that the pauses
 * and the timers are ours: none of them keeps the process alive [P1], and nothing is sent twice.
 */

/** What a connection must be able to do. */
export interface Connection {
  connect(): Promise<unknown>;
  /** Ends it at once; what is under way fails. */
  destroy(): void;
  on(event: "error" | "end" | "ready", listener: (error?: unknown) => void): unknown;
}

export interface LinkOptions<C extends Connection> {
  /** Makes a connection that is not connected yet. */
  readonly make: () => C | Promise<C>;
  /** What else must succeed before it counts as up. */
  readonly prepare?: ((connection: C) => Promise<unknown>) | undefined;
  /** How long one attempt may take. */
  readonly attemptMs: number;
  readonly onUp?: (() => void) | undefined;
  readonly onDown?: ((error: Error) => void) | undefined;
}

/** Pauses before the attempts: at once after a break, then soon, then every half second. */
const pausesMs = [0, 25, 50, 100, 200, 400, 500];
/** After so many failures in a row nobody is kept waiting through a pause: what has not been sent can be told apart. */
const shortFailures = 3;

export class Link<C extends Connection> {
  readonly #options: LinkOptions<C>;
  #connection: C | undefined;
  #attempt: Promise<C> | undefined;
  #failures = 0;
  #lastError = new Error("not connected");
  #pausing = false;
  #closed = false;

  constructor(options: LinkOptions<C>) {
    this.#options = options;
  }

  /** The connection, while it is up. */
  get up(): C | undefined {
    return this.#connection;
  }

  /** Joins the attempt that is under way, or starts one; rejects with that attempt's error, in a pause with the last. */
  connect(): Promise<C> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    if (this.#closed) return Promise.reject(new Error("closed"));
    if (this.#pausing && this.#failures >= shortFailures) return Promise.reject(this.#lastError);
    return (this.#attempt ??= this.#try());
  }

  /** Ends the connection, whatever is under way on it, and connects anew. */
  drop(error: Error): void {
    const connection = this.#connection;
    if (connection !== undefined) this.#broke(connection, error);
  }

  close(): void {
    this.#closed = true;
    const connection = this.#connection;
    this.#connection = undefined; // first: ending it says so to us, too
    if (connection !== undefined) end(connection);
  }

  async #try(): Promise<C> {
    this.#pausing = true;
    await pause(pausesMs[Math.min(this.#failures, pausesMs.length - 1)] ?? 0);
    this.#pausing = false;
    try {
      const connection = await this.#open();
      this.#attempt = undefined;
      this.#failures = 0;
      this.#connection = connection;
      this.#options.onUp?.();
      return connection;
    } catch (error) {
      this.#attempt = undefined;
      this.#failures += 1;
      this.#lastError = toError(error);
      this.#goOn(this.#lastError);
      throw error;
    }
  }

  async #open(): Promise<C> {
    this.#mustBeOpen();
    const connection = await this.#options.make();
    const breaks: Error[] = [];
    const onBreak = (error?: unknown): void => {
      breaks.push(error === undefined ? new Error("the connection was closed") : toError(error));
      this.#broke(connection, breaks[0] ?? toError(error));
    };
    connection.on("error", onBreak);
    connection.on("end", onBreak);
    try {
      await within(this.#options.attemptMs, this.#prepared(connection));
      if (breaks[0] !== undefined) throw breaks[0];
      this.#mustBeOpen();
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

  #mustBeOpen(): void {
    if (this.#closed) throw new Error("closed");
  }

  #broke(connection: C, error: Error): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    end(connection);
    this.#goOn(error);
  }

  #goOn(error: Error): void {
    if (this.#closed) return;
    this.#options.onDown?.(error);
    this.connect().catch(() => undefined); // whoever waits for this attempt has its error
  }
}

/** Some versions of the package throw at what is ended already. */
function end(connection: Connection): void {
  try {
    connection.destroy();
  } catch {
    // it is ended, which is all that was wanted
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function pause(ms: number): Promise<void> {
  // Half of it at random, so that many processes do not come back in step.
  const jittered = ms * (0.5 + Math.random() / 2);
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, jittered).unref());
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${String(ms)} ms`)), ms).unref();
    const clear = (): void => clearTimeout(timer);
    promise.then(resolve, reject).finally(clear);
  });
}
