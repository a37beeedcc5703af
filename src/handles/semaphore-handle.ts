/** The handle of a semaphore. It parses options; scheduling/ does the waiting, with a ticket for each grant. */
import type { SemaphoreChange, SemaphoreEntry, SemaphoreReply, Share } from "../backends/contract.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { handedOut } from "../diagnostics/hold-tracing.ts";
import { traces } from "../diagnostics/traces.ts";
import * as names from "../names.ts";
import * as parse from "../options.ts";
import { someOf, type Parsed } from "../options.ts";
import { throwIfAborted } from "../ownership/abort-listeners.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { runHolding } from "../ownership/held-grants.ts";
import { GrantRequest } from "../scheduling/request.ts";
import type { Session } from "../session.ts";
import { sharedHolder } from "./lock-info.ts";
import { nullIfBusy } from "./null-if-busy.ts";
import { checkFunction, runUnder } from "./run-under.ts";
import type { Scope } from "./scope.ts";
import { traceAcquire } from "./trace-handles.ts";
import type {
  PermitGrant,
  PermitOptions,
  Semaphore,
  SemaphoreInfo,
  SemaphoreOptions,
  TryPermitOptions,
} from "./semaphore.ts";

export class SemaphoreHandle implements Semaphore {
  readonly id: string;
  /** The id of its lock. */
  readonly #lockId: string;
  readonly #session: Session;
  readonly #own: Parsed<SemaphoreOptions>;

  constructor(scope: Scope, id: string, options: SemaphoreOptions | undefined) {
    const { session } = scope;
    this.#own = parse.parseOptions<Parsed<SemaphoreOptions>>("semaphore()", options, {
      ...commonParsers(session),
      permits: parse.permits,
    });
    this.#session = session;
    this.#lockId = names.internalId("semaphore", scope.key(id, "A semaphore's id"));
    this.id = id;
  }

  acquire(options?: PermitOptions): Promise<PermitGrant> {
    return withCallersStack(() => this.#byHand(this.#parse("acquire()", options)));
  }

  tryAcquire(options?: TryPermitOptions): Promise<PermitGrant | null> {
    return withCallersStack(() => this.#tryAcquire(options));
  }

  run<R>(fn: (grant: PermitGrant) => R | Promise<R>, options?: PermitOptions): Promise<R> {
    return withCallersStack(async () => {
      checkFunction(fn);
      const { store, calls } = this.#session;
      const grant = await this.#acquire(this.#parse("run()", options));
      const view = this.#view(grant);
      return runUnder(calls, grant, () => runHolding({ store, grant, draft: false }, () => fn(view)));
    });
  }

  inspect(): Promise<SemaphoreInfo | null> {
    return withCallersStack(async () => {
      this.#session.admit();
      const { calls } = this.#session;
      const what = { doing: "Inspecting the semaphore", id: this.#lockId };
      const entry = await calls.read(what, () => calls.backend.inspectSemaphore(this.#lockId));
      return entry && this.#info(entry);
    });
  }

  resize(permits: number): Promise<boolean> {
    return withCallersStack(async () => {
      const limit = parse.permits(permits, "permits");
      const created = this.#own.permits ?? null;
      const status = await this.#change("Resizing the semaphore", { kind: "resize", limit, created });
      this.#session.locks.resized(this.#lockId);
      return status === "resized";
    });
  }

  delete(): Promise<boolean> {
    return withCallersStack(
      async () => (await this.#change("Deleting the semaphore", { kind: "delete" })) === "removed",
    );
  }

  async #tryAcquire(options: TryPermitOptions | undefined): Promise<PermitGrant | null> {
    const { waitMs: _, ...parsers } = this.#parsers;
    const own = parse.parseOptions<Parsed<TryPermitOptions>>("tryAcquire()", options, parsers);
    return nullIfBusy(this.#byHand({ ...own, waitMs: 0 }));
  }

  #parse(call: string, options: PermitOptions | undefined): Parsed<PermitOptions> {
    return parse.parseOptions<Parsed<PermitOptions>>(call, options, this.#parsers);
  }

  async #byHand(options: Parsed<PermitOptions>): Promise<PermitGrant> {
    return this.#view(this.#session.heldByHand(await handedOut(this.#acquire(options))));
  }

  #acquire(options: Parsed<PermitOptions>): Promise<HeldGrant> {
    if (!traces.acquire.hasSubscribers) return this.#request(options);
    const { signal, weight = 1, waitMs = this.#own.waitMs ?? this.#session.settings.waitMs } = options;
    const of = { kind: "semaphore", ids: [names.userId(this.#lockId)], weight, signal, waitMs } as const;
    return traceAcquire(of, () => this.#request(options));
  }

  #request(options: Parsed<PermitOptions>): Promise<HeldGrant> {
    const { locks, settings } = this.#session;
    const { permits, ...usual } = this.#own;
    const { weight = 1, signal, durability, ...how } = { ...usual, ...options };
    throwIfAborted(signal);
    this.#session.admit();
    const { leaseMs, waitMs } = settings;
    const share: Share = { kind: "permits", weight, limit: permits ?? null };
    const request = new GrantRequest({
      leaseMs,
      waitMs,
      ...how,
      signal,
      share,
      durability: someOf(durability ?? settings.durability),
    });
    locks.addGrant(this.#lockId, request);
    return request.granted;
  }

  async #change(doing: string, change: SemaphoreChange): Promise<SemaphoreReply["status"]> {
    this.#session.admit();
    const { calls } = this.#session;
    const { reply } = await calls.exactlyOnce<SemaphoreReply>({ doing, id: this.#lockId }, (receipt) =>
      calls.backend.changeSemaphore(this.#lockId, change, receipt),
    );
    return reply.status;
  }

  #view(grant: HeldGrant): PermitGrant {
    return new PermitGrantView(this.id, grant);
  }

  #info({ limit, created, holders, waiters }: SemaphoreEntry): SemaphoreInfo {
    const { clientId } = this.#session.backend;
    return {
      id: this.id,
      permits: limit,
      createdWith: created,
      used: holders.reduce((sum, { weight }) => sum + weight, 0),
      holders: holders.map((share) => ({ ...sharedHolder(share, clientId), weight: share.weight })),
      waiters,
    };
  }

  get #parsers() {
    return { ...commonParsers(this.#session), weight: parse.permits, signal: parse.signal };
  }
}

function commonParsers({ settings }: Session) {
  return {
    leaseMs: parse.leaseMs,
    waitMs: parse.waitMs,
    durability: settings.readDurability,
    maxHoldMs: parse.maxHoldMs,
  };
}

/** The grant of a lock whose id users do not know. */
class PermitGrantView implements PermitGrant {
  readonly id: string;
  readonly weight: number;
  readonly fence: number;
  readonly #grant: HeldGrant;

  constructor(id: string, grant: HeldGrant) {
    const { share } = grant.hold;
    this.id = id;
    this.weight = share?.kind === "permits" ? share.weight : 1;
    this.fence = grant.fence;
    this.#grant = grant;
  }

  get signal(): AbortSignal {
    return this.#grant.signal;
  }

  get closing(): AbortSignal {
    return this.#grant.closing;
  }

  release(): Promise<boolean> {
    return this.#grant.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
