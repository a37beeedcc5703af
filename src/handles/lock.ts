/**
 * The handle of a lock. It parses options and finds the grant of the running context; scheduling/ does the waiting and
 * the ordering.
 */
import type { Durability, LockEntry, Share } from "../backends/contract.ts";
import type { Session } from "../session.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { handedOut } from "../diagnostics/hold-tracing.ts";
import { traces } from "../diagnostics/traces.ts";
import * as parse from "../options.ts";
import { someOf, type DurabilityOptions, type Parsed } from "../options.ts";
import { acquireNested } from "../ownership/nested-acquire.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { Grant } from "../ownership/public-grant.ts";
import type { GrantSet } from "../ownership/grant-set.ts";
import { GrantView } from "../ownership/views/grant-views.ts";
import { parseGrant } from "../ownership/parse-grant.ts";
import { liveGrant, runHolding } from "../ownership/held-grants.ts";
import { GrantRequest } from "../scheduling/request.ts";
import { throwIfAborted } from "../ownership/abort-listeners.ts";
import { adoptLock, type AdoptOptions } from "./adopt.ts";
import { forceRelease, type ForceReleaseOptions } from "./force-release.ts";
import { lockInfo, type LockInfo } from "./lock-info.ts";
import { nullIfBusy } from "./null-if-busy.ts";
import { checkFunction, runUnder } from "./run-under.ts";
import type { Scope } from "./scope.ts";
import { traceAcquire } from "./trace-handles.ts";

/** Options of `store.lock()`; options of a call override them. */
export interface LockOptions {
  /** How long the backend keeps a grant that is not renewed, in milliseconds, 100 … 86 400 000. */
  leaseMs?: number | undefined;
  /** How long `acquire` and `run` wait for others, in milliseconds; 0 tries once, `Infinity` has no deadline. */
  waitMs?: number | undefined;
  /**
   * How long a caller may hold the lock, in milliseconds. Then its signal aborts, and a second later the lock is given
   * up. Default: no limit. A re-entry has the limit of the outer grant.
   */
  maxHoldMs?: number | undefined;
  /** How many replicas must have a grant before it is returned. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `lock.acquire()` and `lock.run()`. */
export interface AcquireOptions extends LockOptions {
  /** Ends waiting: the promise rejects with `signal.reason`. Ignored once the lock is granted. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the lease is renewed for as long as the lock is held. With `false`, the lock is lost `leaseMs` after it was
   * granted, unless `grant.extend()` gives it more time; and it is not passed on when this process ends, only when the lease
   * is over. Default: true. A re-entry keeps the outer lease.
   */
  renew?: boolean | undefined;
  /** Re-enter this grant; needed only outside `run(fn)`. A re-entry keeps the outer lease and fence. */
  grant?: Grant | GrantSet | undefined;
  /**
   * Holds the lock together with others that share it, and with no exclusive holder. The state of the same id can be
   * read under it, not written. Default: false.
   */
  shared?: boolean | undefined;
}

/** Options of `lock.tryAcquire()`. */
export interface TryAcquireOptions {
  /** As {@link LockOptions.leaseMs}. */
  leaseMs?: number | undefined;
  /** As {@link AcquireOptions.renew}. */
  renew?: boolean | undefined;
  /** As {@link LockOptions.maxHoldMs}. */
  maxHoldMs?: number | undefined;
  /** As {@link LockOptions.durability}. */
  durability?: DurabilityOptions | undefined;
  /** Ends the attempt: the promise rejects with `signal.reason`. Ignored once the lock is granted. */
  signal?: AbortSignal | undefined;
  /** As {@link AcquireOptions.grant}. */
  grant?: Grant | GrantSet | undefined;
  /** As {@link AcquireOptions.shared}. */
  shared?: boolean | undefined;
}

/**
 * A named lock. The lock `x` guards the state `x`.
 *
 * @example
 * ```ts
 * await store.lock("invoice:7").run(async (grant) => {
 *   await sendInvoice({ fence: grant.fence, signal: grant.signal });
 * });
 * ```
 */
export interface Lock {
  /** As it was given: in a view, without the prefix of the view. */
  readonly id: string;
  /**
   * Waits for the lock and returns a grant, which is renewed until you release it (but see `renew`).
   *
   * @throws LockTimeoutError if others held the lock for `waitMs`; UnavailableError if the backend does not answer;
   * ClosedError; the reason of `signal` if it aborted.
   */
  acquire(options?: AcquireOptions): Promise<Grant>;
  /** Tries once; returns `null` if the lock is not free now. */
  tryAcquire(options?: TryAcquireOptions): Promise<Grant | null>;
  /**
   * Runs `fn` while holding the lock, and always releases it afterwards. Calls for this id inside `fn` re-enter.
   *
   * @returns what `fn` returned.
   * @throws what `fn` threw; the errors of `acquire`; LockLostError if the lock was lost while `fn` ran, with the value
   * of `fn` in `error.result`.
   */
  run<R>(fn: (grant: Grant) => R | Promise<R>, options?: AcquireOptions): Promise<R>;
  /**
   * Takes the lock over from the holder whose {@link Grant.token} this is, and returns a new grant with a greater fence. From
   * then on the old holder's saves and renewals are refused, its release returns false, and its signal aborts: at once
   * where wakes are pushed and in the same process, otherwise with its next renewal. Those that wait for the lock go on
   * waiting. Of several calls with one token, one gets the lock.
   *
   * @throws LockLostError if that holder does not hold the lock any more; InvalidArgumentError if the text is no token, or one
   * of another lock or store; UnavailableError if the backend does not answer: a lock that was taken is then released;
   * ClosedError; the reason of `signal` if it aborted.
   * @example
   * ```ts
   * const lock = store.lock("order:7");
   * const grant = await lock.acquire({ renew: false, leaseMs: 60_000 });
   * const token = grant.token(); // give it to the next step, which may run elsewhere
   * await using next = await lock.adopt(token);
   * ```
   */
  adopt(token: string, options?: AdoptOptions): Promise<Grant>;
  /** Returns who holds the lock; `null` if it is free. */
  inspect(): Promise<LockInfo | null>;
  /**
   * Takes the lock from its holder and hands it to the next waiter. From then on, the old holder's saves are refused,
   * and its signal aborts.
   *
   * @returns false if the lock was not held, or not with the fence `ifFence`.
   */
  forceRelease(options?: ForceReleaseOptions): Promise<boolean>;
}

export class LockHandle implements Lock {
  readonly id: string;
  readonly #key: string;
  readonly #session: Session;
  readonly #leaseMs: number;
  readonly #waitMs: number;
  readonly #maxHoldMs: number | undefined;
  readonly #durability: Durability | undefined;

  constructor(scope: Scope, id: string, options: LockOptions | undefined) {
    const { session } = scope;
    const { settings } = session;
    const own = parse.parseOptions<Parsed<LockOptions>>("lock()", options, {
      leaseMs: parse.leaseMs,
      waitMs: parse.waitMs,
      maxHoldMs: parse.maxHoldMs,
      durability: settings.readDurability,
    });
    this.#session = session;
    this.#key = scope.key(id, "A lock's id");
    this.id = id;
    this.#leaseMs = own.leaseMs ?? settings.leaseMs;
    this.#waitMs = own.waitMs ?? settings.waitMs;
    this.#maxHoldMs = own.maxHoldMs;
    this.#durability = own.durability ?? settings.durability;
  }

  acquire(options?: AcquireOptions): Promise<Grant> {
    const acquire = (): Promise<HeldGrant> => handedOut(this.#acquire(this.#parse("acquire()", options)));
    if (this.#isInView) return withCallersStack(async () => this.#byHand(await acquire()));
    return withCallersStack(acquire, (grant) => this.#session.heldByHand(grant));
  }

  tryAcquire(options?: TryAcquireOptions): Promise<Grant | null> {
    return withCallersStack(() => this.#tryAcquire(options));
  }

  run<R>(fn: (grant: Grant) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    return withCallersStack(() => this.#run(fn, options));
  }

  adopt(token: string, options?: AdoptOptions): Promise<Grant> {
    const own = {
      id: this.#key,
      leaseMs: this.#leaseMs,
      maxHoldMs: this.#maxHoldMs,
      durability: this.#durability,
    };
    return withCallersStack(async () =>
      this.#byHand(await handedOut(adoptLock(this.#session, own, { token, options }))),
    );
  }

  inspect(): Promise<LockInfo | null> {
    return withCallersStack(async () => {
      const entry = await this.#inspect();
      return entry && { ...lockInfo(entry, this.#session.backend.clientId), id: this.id };
    });
  }

  forceRelease(options?: ForceReleaseOptions): Promise<boolean> {
    const inspect = (): Promise<LockEntry | null> => this.#inspect();
    return withCallersStack(() => forceRelease(this.#session, { id: this.#key, inspect, options }));
  }

  async #tryAcquire(options: TryAcquireOptions | undefined): Promise<Grant | null> {
    const { waitMs: _, ...parsers } = this.#parsers;
    const own = parse.parseOptions<Parsed<TryAcquireOptions>>("tryAcquire()", options, parsers);
    const grant = await nullIfBusy(handedOut(this.#acquire({ ...own, waitMs: 0 })));
    return grant && this.#byHand(grant);
  }

  async #run<R>(fn: (grant: Grant) => R | Promise<R>, options: AcquireOptions | undefined): Promise<R> {
    checkFunction(fn);
    const { store, calls } = this.#session;
    const grant = await this.#acquire(this.#parse("run()", options));
    return runUnder(calls, grant, () =>
      runHolding({ store, grant, draft: false }, () => fn(this.#shown(grant))),
    );
  }

  #parse(call: string, options: AcquireOptions | undefined): Parsed<AcquireOptions> {
    return options === undefined
      ? noOptions
      : parse.parseOptions<Parsed<AcquireOptions>>(call, options, this.#parsers);
  }

  #acquire(options: Parsed<AcquireOptions>): Promise<HeldGrant> {
    if (!traces.acquire.hasSubscribers) return this.#request(options);
    const { shared, signal, waitMs = this.#waitMs } = options;
    const of = { kind: shared === true ? "shared" : "lock", ids: [this.#key], signal, waitMs } as const;
    return traceAcquire(of, () => this.#request(options));
  }

  #request(options: Parsed<AcquireOptions>): Promise<HeldGrant> {
    const { calls, locks, store } = this.#session;
    const { leaseMs = this.#leaseMs, waitMs = this.#waitMs, maxHoldMs = this.#maxHoldMs } = options;
    const { signal, grant, renew, shared = false } = options;
    const durability = someOf(options.durability ?? this.#durability);
    throwIfAborted(signal);
    const outer = (grant as HeldGrant | undefined) ?? liveGrant(store, this.#key);
    this.#session.admit(outer);
    const how = { leaseMs, renew, waitMs, maxHoldMs, signal, durability, share: shareOf(shared) };
    if (outer !== undefined) return acquireNested(calls, outer, how);
    const request = new GrantRequest(how);
    locks.addGrant(this.#key, request);
    return request.granted;
  }

  get #isInView(): boolean {
    return this.id !== this.#key;
  }

  #byHand(grant: HeldGrant): Grant {
    return this.#shown(this.#session.heldByHand(grant));
  }

  /** The grant as its caller is to see it. */
  #shown(grant: HeldGrant): Grant {
    return this.#isInView ? new GrantView(this.id, grant) : grant;
  }

  get #parsers() {
    return {
      leaseMs: parse.leaseMs,
      waitMs: parse.waitMs,
      maxHoldMs: parse.maxHoldMs,
      signal: parse.signal,
      renew: parse.boolean,
      grant: (value: unknown): Grant => parseGrant(value, this.#session.store, this.#key),
      durability: this.#session.settings.readDurability,
      shared: parse.boolean,
    };
  }

  #inspect(): Promise<LockEntry | null> {
    this.#session.admit();
    const { calls } = this.#session;
    const what = { doing: "Inspecting the lock", id: this.#key };
    return calls.read(what, () => calls.backend.inspectLock(this.#key));
  }
}

const sharedLock: Share = { kind: "shared" };

/** What an option `shared` asks for. */
export function shareOf(shared: boolean): Share | undefined {
  return shared ? sharedLock : undefined;
}

const noOptions: Parsed<AcquireOptions> = Object.freeze({});
