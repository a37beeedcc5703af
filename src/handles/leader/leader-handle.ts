/**
 * The handle of an office: campaigns, calls the function of each term, and says who leads. An office is a lock that is
 * waited for without end, and the state of the same id, which proclaims its holder.
 */
import type { Durability } from "../../backends/contract.ts";
import { fromCaller, isFromCaller, withCallersStack } from "../../caller-stacks.ts";
import { whileHolding } from "../../diagnostics/hold-tracing.ts";
import { traces } from "../../diagnostics/traces.ts";
import { warn } from "../../diagnostics/events.ts";
import { InvalidArgumentError, LockLostError, shownId, UnavailableError } from "../../errors.ts";
import * as names from "../../names.ts";
import * as parse from "../../options.ts";
import { someOf, type Parsed } from "../../options.ts";
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import { liveGrant, runHolding } from "../../ownership/held-grants.ts";
import { closingError } from "../../scheduling/lock-manager.ts";
import { GrantRequest } from "../../scheduling/request.ts";
import type { Session } from "../../session.ts";
import { pause } from "../../timers.ts";
import { forRecords } from "../../serializers/named.ts";
import { Codec } from "../../updates/codec.ts";
import { leaderOf, recordOf, type SeenLeader } from "./leader-record.ts";
import type { Scope } from "../scope.ts";
import { traceAcquire } from "../trace-handles.ts";
import { HeldTerm } from "./leader-term.ts";
import { leadersOf } from "./leader-watch.ts";
import type { CampaignOptions, Leader, LeaderInfo, LeaderOptions, Term, WatchOptions } from "./leader.ts";

type Fn<T, R> = (term: Term<T>) => R | Promise<R>;

/** After a campaign that failed, for which the backend was asked for `operationMs`. */
const tryAgainMs = 250;

export class LeaderHandle<T> implements Leader<T> {
  readonly id: string;
  readonly #key: string;
  readonly #session: Session;
  readonly #options: Parsed<LeaderOptions>;
  readonly #codec: Codec;

  constructor(scope: Scope, id: string, options: LeaderOptions | undefined) {
    const { session } = scope;
    const { settings } = session;
    this.#session = session;
    this.#options = parse.parseOptions<Parsed<LeaderOptions>>("leader()", options, this.#parsers);
    this.#key = names.internalId("leader", scope.key(id, "A leader's id"));
    this.id = id;
    this.#codec = new Codec(this.#key, forRecords(settings.serializer), settings.maxStateBytes);
  }

  run<R>(fn: Fn<T, R>, options?: CampaignOptions<T>): Promise<R> {
    return withCallersStack(() => this.#run(fn, options));
  }

  current(): Promise<LeaderInfo<T> | null> {
    return withCallersStack(async () => (await this.#look())?.info ?? null);
  }

  watch(options?: WatchOptions): AsyncIterable<LeaderInfo<T> | null> {
    const { intervalMs } = parse.parseOptions<WatchOptions>("watch()", options, {
      intervalMs: parse.intervalMs,
    });
    return leadersOf({ session: this.#session, key: this.#key, look: () => this.#look(), intervalMs });
  }

  async #run<R>(fn: Fn<T, R>, options: CampaignOptions<T> | undefined): Promise<R> {
    if (typeof fn !== "function") {
      throw new InvalidArgumentError(
        `run() takes a function to call in office, and then its options; got ${parse.show(fn)}.`,
      );
    }
    const how = parse.parseOptions<Parsed<CampaignOptions<T>>>("run()", options, {
      ...this.#parsers,
      signal: parse.signal,
      value: (value) => value as never, // anything but `undefined`, which is the same as no value
    });
    recordOf(this.#codec, { fence: 0, since: 0, value: how.value }); // a value that cannot be kept is refused now
    const { keepAlive } = this.#session.calls;
    keepAlive.ref(); // [P1]
    try {
      for (;;) {
        const grant = await this.#traced(how);
        const returned = await this.#lead(grant, fn, how);
        if (returned !== undefined) return returned.value;
      }
    } finally {
      keepAlive.unref();
    }
  }

  #traced(how: Parsed<CampaignOptions<T>>): Promise<HeldGrant> {
    if (!traces.acquire.hasSubscribers) return this.#campaign(how);
    const of = {
      kind: "leader",
      ids: [names.userId(this.#key)],
      signal: how.signal,
      waitMs: Infinity,
    } as const;
    return traceAcquire(of, () => this.#campaign(how));
  }

  /** Waits for the office, also while the backend does not answer. */
  async #campaign({ signal, ...how }: Parsed<CampaignOptions<T>>): Promise<HeldGrant> {
    const { settings, locks, store } = this.#session;
    const leaseMs = how.leaseMs ?? this.#options.leaseMs ?? settings.leaseMs;
    for (let failures = 0; ; failures += 1) {
      throwIfAborted(signal);
      this.#throwIfClosing();
      if (liveGrant(store, this.#key) !== undefined) {
        const text = `run() of ${shownId(this.#key)} inside its own term would wait for itself.`;
        throw new InvalidArgumentError(text);
      }
      this.#session.admit();
      const request = new GrantRequest({
        leaseMs,
        waitMs: Infinity,
        signal,
        durability: this.#durabilityOf(how),
      });
      locks.add(this.#key, request);
      try {
        return await request.granted;
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (failures === 0) this.#warn(error);
      }
      await pause(tryAgainMs);
    }
  }

  /** `undefined`: the office was lost. */
  async #lead<R>(
    grant: HeldGrant,
    fn: Fn<T, R>,
    how: Parsed<CampaignOptions<T>>,
  ): Promise<{ readonly value: R } | undefined> {
    const { id } = this;
    const [session, codec, durability] = [this.#session, this.#codec, this.#durabilityOf(how)];
    const term = new HeldTerm<T>({ id, session, codec, grant, durability, signal: how.signal });
    try {
      // It may have been lost by the time of the reply: a function is never called with a term that is over.
      if (!(await this.#takeOffice(term, how.value)) || term.isLost()) return undefined;
      throwIfAborted(how.signal);
      this.#throwIfClosing();
      const value = await this.#inOffice(grant, () => fn(term));
      return term.isLost() ? undefined : { value };
    } catch (error) {
      if (term.isLost() && comesFrom(error, term.signal.reason)) return undefined;
      throw error;
    } finally {
      await term.end();
    }
  }

  /** Whatever it throws is the caller's own. */
  async #inOffice<R>(grant: HeldGrant, fn: () => R | Promise<R>): Promise<R> {
    const link = { store: this.#session.store, grant, draft: false };
    try {
      return await whileHolding(grant, () => runHolding(link, fn));
    } catch (error) {
      throw fromCaller(error);
    }
  }

  /** An error of this call's own: functions may have thrown the reason of `closing`, which is theirs then. */
  #throwIfClosing(): void {
    if (this.#session.ending.aborted) throw closingError(this.#key);
  }

  /** Returns whether it was proclaimed: before that, no one can know the term. */
  async #takeOffice(term: HeldTerm<T>, value: T | undefined): Promise<boolean> {
    try {
      await term.proclaim(value);
      return true;
    } catch (error) {
      if (error instanceof LockLostError) return false;
      if (!isPassing(error)) throw error;
      this.#warn(error);
      await pause(tryAgainMs);
      return false;
    }
  }

  async #look(): Promise<SeenLeader<T> | null> {
    this.#session.admit();
    const { calls } = this.#session;
    const [id, codec] = [this.#key, this.#codec];
    const { backend } = calls;
    // Together: if the lock is held with the fence that the record names, that term was in office at some time between.
    const [lock, state] = await Promise.all([
      calls.read({ doing: "Inspecting the lock", id }, () => backend.inspectLock(id)),
      calls.read({ doing: "Loading the state", id }, () => backend.loadState(id, { expiry: false })),
    ]);
    return leaderOf<T>(this.id, { codec, clientId: backend.clientId }, { lock, state });
  }

  #durabilityOf(how: { readonly durability?: Durability }): Durability | undefined {
    return someOf(how.durability ?? this.#options.durability ?? this.#session.settings.durability);
  }

  get #parsers() {
    return { leaseMs: parse.leaseMs, durability: this.#session.settings.readDurability };
  }

  #warn(error: UnavailableError): void {
    const message = `The campaign for ${shownId(this.#key)} goes on, but the backend fails: ${error.message}`;
    warn("leader-campaign", message);
  }
}

/** Whether it may go away by itself. The reason of the caller's signal is none of these, whatever it is. */
function isPassing(error: unknown): error is UnavailableError {
  return error instanceof UnavailableError && !error.lasting && !isFromCaller(error);
}

/** Whether a function threw this because its signal aborted, or because of the loss, or of what led to it. */
function comesFrom(error: unknown, reason: unknown): boolean {
  if (error === reason) return true;
  if (typeof error !== "object" || error === null) return false;
  const { name, code, cause } = error as { name?: unknown; code?: unknown; cause?: unknown };
  const isOfLoss = name === "AbortError" || code === "LOCK_LOST" || code === "UNREACHABLE";
  return isOfLoss || (reason !== undefined && cause === reason);
}
