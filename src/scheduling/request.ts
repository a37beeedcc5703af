/**
 * What a caller wants from a lock: a grant, or a change of its state. A request waits in the local queue of its id
 * until it is served, fails or gives up. The first of these settles it, once.
 */
import type { Durability, Share } from "../backends/contract.ts";
import { ListNode } from "../linked-list.ts";
import { onCallersAbort, throwIfAborted } from "../ownership/abort-listeners.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { heldHere, type Held } from "../ownership/held-grants.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { now, type Deadline, type Deadlines } from "../timers.ts";
import type { Change } from "../updates/change.ts";

/** What ends a request's wait. */
export interface WaitEnds {
  /** `waitMs` is over. */
  readonly onExpire: () => void;
  /** The caller's signal aborted. */
  readonly onAbort: (reason: unknown) => void;
}

export abstract class Request extends ListNode {
  readonly leaseMs: number;
  /** Whether the lease is to be renewed. */
  readonly renews: boolean;
  readonly waitMs: number;
  readonly durability: Durability | undefined;
  /** Whether the state is wanted with the grant. */
  abstract readonly loads: boolean;
  readonly arrivedAt: number;
  /** Its waiting time counts from then: before it arrived, if its call has waited for other locks first. */
  readonly waitsFrom: number;
  /** What the context of its caller holds. */
  readonly context: Held | undefined = heldHere();
  /** What the same call has acquired already. */
  readonly acquired: readonly HeldGrant[] | undefined;
  readonly #signal: AbortSignal | undefined;
  #isExpired: boolean;
  #deadline: Deadline | undefined;
  #stopListening: (() => void) | undefined;

  constructor(how: WaitOptions, arrivedAt = now(), waitsFrom = arrivedAt) {
    super();
    this.arrivedAt = arrivedAt;
    this.waitsFrom = waitsFrom;
    this.leaseMs = how.leaseMs;
    this.renews = how.renew ?? true;
    this.waitMs = how.waitMs;
    this.durability = how.durability;
    this.acquired = how.acquired;
    this.#isExpired = how.waitMs === 0;
    this.#signal = how.signal;
  }

  /** Its waiting time is over: only a reply that is already on its way can serve it. */
  get isExpired(): boolean {
    return this.#isExpired;
  }

  /** Whether its time is over by the clock. */
  get isDue(): boolean {
    return now() - this.waitsFrom >= this.waitMs;
  }

  expire(): void {
    this.#isExpired = true;
  }

  /** Starts the deadline, and listens to the signal. Throws the signal's reason if it has already aborted. */
  startWaiting(deadlines: Deadlines, ends: WaitEnds): void {
    throwIfAborted(this.#signal);
    if (!this.#isExpired) this.#deadline = deadlines.set(this.waitMs, ends.onExpire, this.waitsFrom);
    if (this.#signal !== undefined) this.#stopListening = onCallersAbort(this.#signal, ends.onAbort);
  }

  stopWaiting(deadlines: Deadlines): void {
    deadlines.clear(this.#deadline);
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  abstract fail(error: unknown): void;
}

/** "Give me a grant." */
export class GrantRequest extends Request {
  readonly granted: Promise<HeldGrant>;
  readonly maxHoldMs: number | undefined;
  readonly share: Share | undefined;
  readonly loads: boolean;
  #resolve!: (grant: HeldGrant) => void;
  #reject!: (error: unknown) => void;
  #failure: unknown;

  constructor(how: WaitOptions, waitsFrom?: number) {
    super(how, undefined, waitsFrom);
    this.maxHoldMs = how.maxHoldMs;
    this.share = how.share;
    this.loads = how.load ?? false;
    this.granted = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  serve(grant: HeldGrant): void {
    this.#resolve(grant);
  }

  fail(error: unknown): void {
    this.#failure = error;
    this.#reject(error);
  }

  /** Why it failed. */
  get failure(): unknown {
    return this.#failure;
  }
}

/** Whether a ticket with this lease is one for the request. */
export function suits(
  request: Request | undefined,
  ticket: { readonly leaseMs: number | undefined; readonly renews: boolean },
): boolean {
  return request?.leaseMs === ticket.leaseMs && request?.renews === ticket.renews;
}

/** Whether what the request wants is what this ticket asks for or has. */
export function isLike(
  request: Request,
  { leaseMs, share }: { readonly leaseMs: number | undefined; readonly share: Share | undefined },
): boolean {
  if (!(request instanceof GrantRequest) || request.leaseMs !== leaseMs) return false;
  const own = request.share;
  if (own?.kind !== "permits" || share?.kind !== "permits") return own === share;
  return own.weight === share.weight && own.limit === share.limit;
}

/** "Make this change." */
export class ChangeRequest extends Request {
  readonly change: Change;
  readonly loads = true;

  constructor(how: WaitOptions, change: Change) {
    super(how, change.arrivedAt);
    this.change = change;
  }

  fail(error: unknown): void {
    this.change.fail(error);
  }
}
