/**
 * The class of the package `redlock` 5, on a store of Holdfast: the same calls, for one server, group of Sentinels or cluster.
 *
 * A lock has a lease that is not renewed. Waiting calls stand in the lock's queue. The keys are those of Holdfast, so that
 * these locks and `store.lock()` exclude each other, and programs with the package `redlock` do not.
 */
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { InvalidArgumentError, isError, LockLostError, LockTimeoutError } from "../errors.ts";
import { show } from "../options.ts";
import type { Store } from "../store/store.ts";
import { wallNow } from "../timers.ts";
import { acquireEach } from "./acquire.ts";
import { runExtending, type RedlockAbortSignal, type UsingContext } from "./automatic-extension.ts";
import {
  attemptsOf,
  ExecutionError,
  inItsTerms,
  lossOf,
  named,
  notHeld,
  ResourceLockedError,
} from "./errors.ts";
import type { ExecutionResult, ExecutionStats, RedlockClient } from "./errors.ts";
import { Holding, holdingOf, safeMsOf } from "./holding.ts";
import { closeStoreOf, endClient, storeOf, theClient } from "./place.ts";
import { driftMsOf, durationOf, resourcesOf, settingsOf, waitMsOf } from "./settings.ts";
import type { GivenSettings, Settings } from "./settings.ts";

/** What `using` runs. `context.lock` is the lock as it is now, `context.extensions` how often it was extended. */
export type Routine<T> = (signal: RedlockAbortSignal, context: UsingContext<Lock>) => Promise<T> | T;

/**
 * A lock of one or more resources, as `acquire` and `extend` return it.
 *
 * @example
 * ```ts
 * let lock = await redlock.acquire(["a"], 5_000);
 * try {
 *   lock = await lock.extend(5_000);
 * } finally {
 *   await lock.release();
 * }
 * ```
 */
export class Lock {
  /** The object that acquired it. */
  readonly redlock: Redlock;
  /** As they were given. */
  readonly resources: string[];
  /** Names this lock within its process. It is no secret, and of no use elsewhere. */
  readonly value: string;
  /** What each attempt came to: there is one. */
  readonly attempts: readonly Promise<ExecutionStats>[];
  /** Until when it is safe to rely on the lock, in milliseconds since 1970. 0: it was released or extended. */
  expiration: number;
  /**
   * The fence of each resource, a number that rises with each grant: give it to other systems, so that they can refuse a
   * stale holder. Not in `redlock`.
   */
  readonly fences: Readonly<Record<string, number>>;
  readonly #held: Pick<Holding, "signal">;

  // eslint-disable-next-line max-params -- the constructor of `redlock`
  constructor(
    redlock: Redlock,
    resources: string[],
    value: string,
    attempts: readonly Promise<ExecutionStats>[],
    expiration: number,
  ) {
    this.redlock = redlock;
    this.resources = resources;
    this.value = value;
    this.attempts = attempts;
    this.expiration = expiration;
    const holding = holdingOf(value);
    this.fences = holding?.fences ?? {};
    this.#held = holding ?? { signal: AbortSignal.abort(notHeld(resources)) };
  }

  /** Aborts when the lock is lost, or its time is over; never after a release. Not in `redlock`. */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  /**
   * Releases the lock, at most once.
   *
   * @throws ExecutionError if it was lost, is over or was released before, or if the server does not answer: then the lock
   * ends with its duration.
   */
  release(): Promise<ExecutionResult> {
    return this.redlock.release(this);
  }

  /**
   * Gives the lock a duration of so many milliseconds from now on, 100 … 86 400 000.
   *
   * @returns the lock that takes the place of this one.
   * @throws ExecutionError if it was lost or is over, or if the server does not answer; InvalidArgumentError.
   */
  extend(duration: number): Promise<Lock> {
    return this.redlock.extend(this, duration);
  }
}

/**
 * Locks of one or more resources, with the interface of the package `redlock` 5.
 *
 * It emits "error" for each call that fails, and needs no listener.
 *
 * @example
 * ```ts
 * import Redlock from "holdfast/redlock";
 *
 * const redlock = new Redlock([client], { retryCount: 10, retryDelay: 200, retryJitter: 100 });
 * await redlock.using(["account:7", "account:3"], 5_000, async (signal) => {
 *   await transfer();
 *   if (signal.aborted) throw signal.error;
 * });
 * ```
 */
export class Redlock extends EventEmitter {
  /** As in `redlock`: here, one. */
  readonly clients: Set<RedlockClient>;
  /** Those of all calls that do not bring their own. */
  readonly settings: Settings;
  /** The only one of `clients`. */
  readonly client: RedlockClient;
  /** Keeps it: see place.ts. */
  #store: Store;

  /**
   * @param clients one client of `ioredis` or `@redis/client`, as `open()` takes it. It stays yours.
   * @throws InvalidArgumentError for several clients, a client or a setting that cannot work, and custom scripts.
   */
  constructor(clients: Iterable<RedlockClient>, settings?: GivenSettings, scripts?: object) {
    super();
    this.on("error", () => undefined); // an "error" without a listener would end the process
    this.client = theClient(clients);
    this.clients = new Set([this.client]);
    this.settings = settingsOf("new Redlock()", settings);
    if (scripts !== undefined && Object.keys(scripts).length > 0) {
      throw new InvalidArgumentError(
        "new Redlock() of holdfast/redlock takes no scripts: its locks have scripts of their own. Leave the third argument out.",
      );
    }
    this.#store = storeOf(this.client); // refuses a client that cannot work
  }

  /**
   * Releases all locks that were acquired with this client, and calls its `quit()`, or its `close()` if it has no `quit()`.
   * A client that has not ended after 5 s, since a server of it is gone, is cut off.
   */
  async quit(): Promise<void> {
    await closeStoreOf(this.client);
    await endClient(this.client);
  }

  /**
   * Waits for the locks of all resources, and returns them as one lock that ends after `duration` milliseconds.
   *
   * @param resources 1 to 64 ids; their order makes no difference.
   * @param duration in whole milliseconds, 100 … 86 400 000.
   * @throws ExecutionError if they were not free in time (see `retryCount`), with who holds them, or if the server does not
   * answer: then none of them is held; InvalidArgumentError.
   */
  async acquire(resources: readonly string[], duration: number, settings?: GivenSettings): Promise<Lock> {
    const own = settingsOf("acquire()", settings, this.settings);
    const leaseMs = durationOf("acquire()", duration);
    const ids = resourcesOf("acquire()", resources);
    this.#store = storeOf(this.client); // another one after quit()
    const store = this.#store;
    const value = randomBytes(16).toString("hex");
    const attempts = await this.#attempt(async () => {
      new Holding(value, store, await acquireEach(store, ids, { leaseMs, waitMs: waitMsOf(own) }));
    });
    return this.#lock({ resources: [...resources], value, attempts }, leaseMs, own);
  }

  /** See {@link Lock.release}. The settings make no difference: nothing is retried. */
  async release(lock: Lock, settings?: GivenSettings): Promise<ExecutionResult> {
    settingsOf("release()", settings, this.settings);
    lock.expiration = 0;
    const attempts = await this.#attempt(() => {
      const holding = holdingOf(lock.value);
      if (holding === undefined) throw lossOf(lock);
      return holding.release();
    });
    return { attempts };
  }

  /** See {@link Lock.extend}. Of the settings, `driftFactor` counts. */
  async extend(existing: Lock, duration: number, settings?: GivenSettings): Promise<Lock> {
    const own = settingsOf("extend()", settings, this.settings);
    const leaseMs = durationOf("extend()", duration);
    if (existing.expiration === 0) {
      const message = `The lock of ${named(existing.resources)} cannot be extended: it has expired, or was released or extended before.`;
      throw new ExecutionError(message, [], { cause: new LockLostError(message) });
    }
    const { resources, value } = existing;
    const attempts = await this.#attempt(() => {
      const holding = holdingOf(value);
      if (holding === undefined) throw lossOf(existing);
      return holding.extend(leaseMs);
    }).catch((error: unknown) => {
      // Without an answer, the lock may have the new lease or the old one, whichever is shorter.
      existing.expiration = Math.min(existing.expiration, expirationOf(value, driftMsOf(own, leaseMs)));
      throw error;
    });
    existing.expiration = 0;
    return this.#lock({ resources, value, attempts }, leaseMs, own);
  }

  /**
   * Acquires the lock, runs the routine while the lock is extended as often as needed, and releases it.
   *
   * @param routine gets a signal that aborts if the lock is lost; `signal.error` says why.
   * @returns what the routine returned.
   * @throws what the routine threw; ExecutionError if the lock could not be had, or was lost while the routine ran.
   */
  async using<T>(resources: readonly string[], duration: number, routine: Routine<T>): Promise<T>;
  /** The same with settings of its own. */
  async using<T>(
    resources: readonly string[],
    duration: number,
    settings: GivenSettings,
    routine: Routine<T>,
  ): Promise<T>;
  // eslint-disable-next-line max-params -- the signature of `redlock`
  async using<T>(
    resources: readonly string[],
    duration: number,
    settings: GivenSettings | Routine<T>,
    last?: Routine<T>,
  ): Promise<T> {
    const routine = last ?? settings;
    if (typeof routine !== "function") {
      throw new InvalidArgumentError(`using() takes a function to run; got ${show(routine)}.`);
    }
    const given = typeof settings === "function" ? undefined : settings;
    const own = settingsOf("using()", given, this.settings);
    const { automaticExtensionThreshold: thresholdMs } = own;
    if (thresholdMs > durationOf("using()", duration) - 100) {
      throw new InvalidArgumentError(
        `using()'s duration (${duration} ms) must be at least 100 ms longer than automaticExtensionThreshold (${thresholdMs} ms).`,
      );
    }
    const lock = await this.acquire(resources, duration, given);
    const how = {
      thresholdMs,
      leftMs: () => safeMsOf(lock.value, driftMsOf(own, duration)),
      extend: (last: Lock) => this.extend(last, duration, given),
    };
    return runExtending(lock, how, routine);
  }

  #lock(of: Pick<Lock, "resources" | "value" | "attempts">, leaseMs: number, settings: Settings): Lock {
    const expiration = expirationOf(of.value, driftMsOf(settings, leaseMs));
    return new Lock(this, of.resources, of.value, of.attempts, expiration);
  }

  /** A mistake of the caller is thrown as it is; every other failure is emitted, and thrown as an ExecutionError. */
  async #attempt(operation: () => Promise<void>): Promise<readonly Promise<ExecutionStats>[]> {
    try {
      await operation();
      return attemptsOf(this.client);
    } catch (cause) {
      if (cause instanceof InvalidArgumentError || !isError(cause)) throw cause;
      const isLocked = cause instanceof LockTimeoutError || cause instanceof LockLostError;
      const message = inItsTerms(cause.message);
      const reason = isLocked ? new ResourceLockedError(message, { cause }) : cause;
      this.emit("error", reason);
      throw new ExecutionError(message, attemptsOf(this.client, reason), { cause });
    }
  }
}

/** By the wall clock, for others to see: it may be set at any time. */
function expirationOf(value: string, driftMs: number): number {
  const safeMs = safeMsOf(value, driftMs);
  return safeMs === 0 ? 0 : wallNow() + safeMs;
}
