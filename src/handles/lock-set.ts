/** The handle of several locks. It parses ids and options; acquire-set.ts acquires them. */
import type { Durability } from "../backends/contract.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { handedOut } from "../diagnostics/hold-tracing.ts";
import { traces } from "../diagnostics/traces.ts";
import { InvalidArgumentError } from "../errors.ts";
import * as parse from "../options.ts";
import { someOf } from "../options.ts";
import { throwIfAborted } from "../ownership/abort-listeners.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { HeldSet } from "../ownership/grant-set.ts";
import { type GrantSet } from "../ownership/grant-set.ts";
import { GrantSetView } from "../ownership/views/grant-views.ts";
import { runHoldingAll } from "../ownership/held-grants.ts";
import { parseGrantsFor } from "../ownership/parse-grant.ts";
import { compareIds } from "../ids/id-order.ts";
import type { Session } from "../session.ts";
import { acquireSet } from "./acquire-set.ts";
import { shareOf, type LockOptions } from "./lock.ts";
import type * as locks from "./lock.ts";
import { nullIfBusy } from "./null-if-busy.ts";
import { checkFunction, runUnder } from "./run-under.ts";
import type { Scope } from "./scope.ts";
import { traceAcquire } from "./trace-handles.ts";

/** Each of them is renewed, and waited for in turn: work that needs more locks needs a coarser one. */
const maxIds = 64;

/**
 * Several locks that are acquired and released together. Two calls never wait for each other, whatever the order of
 * their ids.
 *
 * @example
 * ```ts
 * await store.lockAll(["account:1", "account:2"]).run(async (grant) => {
 *   await transfer({ signal: grant.signal });
 * });
 * ```
 */
export interface LockSet<Id extends string = string> {
  /** In the order in which they are acquired, that of their UTF-8 bytes; each once. */
  readonly ids: readonly Id[];
  /**
   * Waits for all the locks, for `waitMs` in all, and returns one grant. After an error, none of them is held.
   *
   * @throws LockTimeoutError, which names the id and its holder, if others held one of the locks for `waitMs`, or if one
   * is not free and must not be waited for, since the caller holds a lock that comes after it; otherwise as
   * `lock.acquire`.
   */
  acquire(options?: Omit<locks.AcquireOptions, "renew">): Promise<GrantSet<Id>>;
  /** Tries once; returns `null` if the locks are not all free now. */
  tryAcquire(options?: Omit<locks.TryAcquireOptions, "renew">): Promise<GrantSet<Id> | null>;
  /**
   * Runs `fn` while holding all the locks, and always releases them afterwards. Calls for these ids inside `fn` re-enter.
   *
   * @returns what `fn` returned.
   * @throws what `fn` threw; the errors of `acquire`; LockLostError if one of the locks was lost while `fn` ran, with the
   * value of `fn` in `error.result`.
   */
  run<R>(
    fn: (grant: GrantSet<Id>) => R | Promise<R>,
    options?: Omit<locks.AcquireOptions, "renew">,
  ): Promise<R>;
}

/** Without `renew`: locks that are waited for in turn must be renewed until the last one is granted. */
type AcquireOptions = Omit<locks.AcquireOptions, "renew">;
type TryAcquireOptions = Omit<locks.TryAcquireOptions, "renew">;

/** Options after parsing. */
type Parsed<T> = Omit<T, "durability" | "grant"> & { durability?: Durability };
type ParsedCall<T> = Parsed<T> & { grant?: readonly HeldGrant[] };

export class LockSetHandle<Id extends string> implements LockSet<Id> {
  readonly ids: readonly Id[];
  /** In the same order, since they have one prefix. */
  readonly #keys: readonly string[];
  readonly #session: Session;
  readonly #own: Parsed<LockOptions>;

  constructor(scope: Scope, ids: readonly Id[], options: LockOptions | undefined) {
    const { session } = scope;
    this.#own = parse.parseOptions<Parsed<LockOptions>>("lockAll()", options, parsersOf(session));
    this.#session = session;
    this.ids = parseIds(scope, ids);
    this.#keys = this.ids.map((id) => scope.prefix + id);
  }

  acquire(options?: AcquireOptions): Promise<GrantSet<Id>> {
    return withCallersStack(() => this.#byHand(this.#parse("acquire()", options)));
  }

  tryAcquire(options?: TryAcquireOptions): Promise<GrantSet<Id> | null> {
    return withCallersStack(() => this.#tryAcquire(options));
  }

  run<R>(fn: (grant: GrantSet<Id>) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    return withCallersStack(async () => {
      checkFunction(fn);
      const { store, calls } = this.#session;
      const set = await this.#acquire(this.#parse("run()", options));
      const shown = this.#shown(set);
      return runUnder(calls, set, () => runHoldingAll({ store, draft: false }, set.grants, () => fn(shown)));
    });
  }

  async #tryAcquire(options: TryAcquireOptions | undefined): Promise<GrantSet<Id> | null> {
    const { waitMs: _, ...parsers } = this.#parsers;
    const own = parse.parseOptions<ParsedCall<TryAcquireOptions>>("tryAcquire()", options, parsers);
    return nullIfBusy(this.#byHand({ ...own, waitMs: 0 }));
  }

  async #byHand(options: ParsedCall<AcquireOptions>): Promise<GrantSet<Id>> {
    return this.#shown(this.#session.heldByHand(await handedOut(this.#acquire(options))));
  }

  #acquire(options: ParsedCall<AcquireOptions>): Promise<HeldSet> {
    if (!traces.acquire.hasSubscribers) return this.#request(options);
    const { signal, waitMs = this.#own.waitMs ?? this.#session.settings.waitMs } = options;
    const of = { kind: "locks", ids: this.#keys, signal, waitMs } as const;
    return traceAcquire(of, () => this.#request(options));
  }

  #request(options: ParsedCall<AcquireOptions>): Promise<HeldSet> {
    const { settings } = this.#session;
    const { leaseMs, waitMs, maxHoldMs, durability, shared = false } = { ...this.#own, ...options };
    throwIfAborted(options.signal);
    const how = {
      leaseMs: leaseMs ?? settings.leaseMs,
      waitMs: waitMs ?? settings.waitMs,
      signal: options.signal,
      share: shareOf(shared),
      durability: someOf(durability ?? settings.durability),
      maxHoldMs,
    };
    return acquireSet(this.#session, { ids: this.#keys, given: options.grant ?? [] }, how);
  }

  #parse(call: string, options: AcquireOptions | undefined): ParsedCall<AcquireOptions> {
    return parse.parseOptions<ParsedCall<AcquireOptions>>(call, options, this.#parsers);
  }

  /** The grant as its caller is to see it. */
  #shown(set: HeldSet): GrantSet<Id> {
    return new GrantSetView(this.ids, set);
  }

  get #parsers() {
    const ids = this.#keys;
    const { store } = this.#session;
    const grant = (value: unknown): readonly HeldGrant[] =>
      parseGrantsFor(value, { store, isOne: (id) => ids.includes(id), call: "lockAll()" });
    return { ...parsersOf(this.#session), signal: parse.signal, grant, shared: parse.boolean };
  }
}

function parsersOf({ settings }: Session) {
  return {
    leaseMs: parse.leaseMs,
    waitMs: parse.waitMs,
    maxHoldMs: parse.maxHoldMs,
    durability: settings.readDurability,
  };
}

/** In order, without duplicates. */
function parseIds<Id extends string>(scope: Scope, ids: readonly Id[]): readonly Id[] {
  if (!isArray(ids) || ids.length === 0) {
    throw new InvalidArgumentError(`lockAll() takes an array of at least one id; got ${parse.show(ids)}.`);
  }
  const known = new Set(ids);
  for (const id of known) scope.key(id, "A lock's id");
  if (known.size > maxIds) {
    throw new InvalidArgumentError(
      `lockAll() takes at most ${maxIds} ids; got ${known.size}. Use a lock that stands for all of them.`,
    );
  }
  return Object.freeze([...known].sort(compareIds));
}

/** A caller in JavaScript may pass anything. */
function isArray(value: unknown): boolean {
  return Array.isArray(value);
}
