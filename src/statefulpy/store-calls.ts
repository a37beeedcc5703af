/**
 * The calls of one backend: attempts, retries and deadlines, by the rules of src/calls/.
 *
 * Each call of a user keeps the process alive while it runs [P1]. The store is loaded by the first one.
 */
import type { PlainStore } from "../backends/contract-plain.ts";
import { BackendCall, type CallSettings } from "../calls/backend-call.ts";
import type { Subject } from "../calls/call-errors.ts";
import { ClosedError, HoldfastError, UnavailableError } from "../errors.ts";
import type { Renewing } from "../leases/watchdog.ts";
import { Deadlines, KeepAlive, now } from "../timers.ts";
import type { Place } from "./places.ts";

/** How long one call of the store may take, with its retries. */
export const operationMs = 5_000;

/** `isRetry`: an earlier attempt may have been carried out. */
type Attempt<R> = (store: PlainStore, isRetry: boolean) => Promise<R>;

export class StoreCalls implements CallSettings {
  readonly name: string;
  readonly operationMs = operationMs;
  readonly deadlines = new Deadlines();
  /** What the calls and the watchdog see. */
  readonly backend: CallSettings["backend"] & Renewing["backend"];
  readonly #place: Place;
  readonly #keepAlive = new KeepAlive();
  #store: PlainStore | undefined;
  #loading: Promise<PlainStore> | undefined;
  #isClosed = false;

  constructor(place: Place) {
    this.name = place.name;
    this.#place = place;
    this.backend = {
      name: place.name,
      connect: () => this.#connect(),
      renewLocks: async (entries) => {
        await this.#connect();
        return this.#loaded().renewLocks(entries);
      },
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  refuseClosed(): void {
    if (this.#isClosed) throw new ClosedError(`${this.name} was closed: make a new backend.`);
  }

  /** Repeats an attempt until it is answered. */
  run<R>(subject: Subject, attempt: Attempt<R>): Promise<R> {
    return this.keepingAlive(() => this.runInBackground(subject, attempt));
  }

  /** The same, but does not keep the process alive. */
  runInBackground<R>(subject: Subject, attempt: Attempt<R>): Promise<R> {
    let isRetry = false;
    const once = async (): Promise<R> => {
      try {
        return await attempt(this.#loaded(), isRetry);
      } catch (error) {
        if (error instanceof HoldfastError && error.outcome === "unknown") isRetry = true;
        throw error;
      }
    };
    return new Promise<R>((resolve, reject) => {
      const of = { calls: this, subject, attempt: once, onOver: () => undefined };
      new BackendCall<R>({ ...of, listener: { resolve, reject } }).begin(now());
    });
  }

  /** Does not repeat an attempt that may have been carried out: it would undo what others have written since. */
  runOnce<R>(subject: Subject, attempt: Attempt<R>): Promise<R> {
    return this.run(subject, async (store, isRetry) => {
      try {
        return await attempt(store, isRetry);
      } catch (error) {
        if (!(error instanceof UnavailableError) || error.outcome === "none") throw error;
        const { message, code, outcome } = error;
        throw new UnavailableError(message, { code, outcome, lasting: true, cause: error });
      }
    });
  }

  /** Keeps the process alive until `call` has settled. */
  async keepingAlive<R>(call: () => Promise<R>): Promise<R> {
    this.#keepAlive.ref();
    try {
      return await call();
    } finally {
      this.#keepAlive.unref();
    }
  }

  /** No call begins from now on, and none is repeated. */
  stop(): void {
    this.#isClosed = true;
  }

  async close(): Promise<void> {
    const store = this.#store ?? (await this.#loading?.catch(() => undefined));
    await store?.close();
    this.#keepAlive.close();
  }

  #loaded(): PlainStore {
    if (this.#store === undefined) throw new Error("HOLDFAST_PLAIN_STORE_NOT_LOADED");
    return this.#store;
  }

  #connect(): Promise<void> | undefined {
    return this.#store === undefined ? this.#load().then((store) => store.connect()) : this.#store.connect();
  }

  /** A load that failed is tried again at the next call: by then, a missing package may be there. */
  #load(): Promise<PlainStore> {
    this.#loading ??= this.#place.load().then(
      (store) => (this.#store = store),
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }
}
