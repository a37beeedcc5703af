/**
 * A grant of a lock: what a caller gets, and what a nested caller gets again [L4].
 * A root grant borrows a hold. A nested one borrows its parent: no round trip, the same fence, a release of its own.
 * Work under one grant is ordered by its mutex. A grant that has ended never becomes live again, and its signal never
 * aborts after a normal release.
 */
import { holdTraceOf, publishLost, type HoldTracing, type Traceable } from "../diagnostics/hold-tracing.ts";
import type { HoldTrace } from "../diagnostics/traces.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { LockLostError, quoted } from "../errors.ts";
import { Mutex } from "./mutex.ts";
import { runOutside } from "./async-context.ts";
import type { Hold } from "../leases/hold.ts";
import { extendHold, handOutHold } from "../leases/lease-calls.ts";
import { leaseMs } from "../options.ts";
import type { HeldByHand, JoinedRelease, Lending } from "./lender.ts";
import type { Grant } from "./public-grant.ts";
import { warnOfUnanswered } from "./unanswered-release.ts";
import { WantedSignal } from "./wanted.ts";

type Phase = "live" | "ended" | "lost";

export type Lender = Lending<HeldGrant>;

export class HeldGrant implements Grant, Traceable {
  readonly hold: Hold;
  readonly fence: number;
  readonly parent: HeldGrant | undefined;
  readonly #lender: Lender;
  // Most grants have nothing under them, so these are made on first use.
  #mutex: Mutex | undefined;
  #children: Set<HeldGrant> | undefined;
  #writes: Set<Promise<unknown>> | undefined;
  #phase: Phase = "live";
  /** Why it ended, if not by its own release. */
  #reason: Error | undefined;
  /** `maxHoldMs` is over: why its signal has aborted. */
  #overdue: Error | undefined;
  #byHand: HeldByHand | undefined;
  #isInside: (() => boolean) | undefined;
  /** It was released because its store is closing. */
  #wasClosed = false;
  #onOver: (() => void) | undefined;
  #onOverOfWaits: (() => void) | undefined;
  #controller: AbortController | undefined;
  #wanted: WantedSignal | undefined;
  #tracing: HoldTracing | undefined;
  #released: Promise<boolean> | undefined;
  /** One promise for all calls of `release()`: if it rejects, handling one of them is enough. */
  #answer: Promise<boolean> | undefined;

  constructor(of: {
    readonly hold: Hold;
    readonly fence: number;
    readonly lender: Lender;
    readonly parent?: HeldGrant;
  }) {
    this.hold = of.hold;
    this.fence = of.fence;
    this.parent = of.parent;
    this.#lender = of.lender;
    if (of.parent === undefined) of.hold.lendTo(this);
    else {
      (of.parent.#children ??= new Set()).add(this);
      this.#overdue = of.parent.#overdue;
    }
  }

  /** Orders the work under this grant: nested grants, saves, updates. */
  get mutex(): Mutex {
    return (this.#mutex ??= new Mutex());
  }

  get id(): string {
    return this.hold.id;
  }

  /** [L5] Checks the clock first. */
  get isLive(): boolean {
    return this.hold.isLive && this.#phase === "live";
  }

  /** Whether it was released normally. */
  get isEnded(): boolean {
    return this.#phase === "ended";
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    this.hold.checkExpiry();
    this.hold.store.lookForSleep();
    if (this.#phase === "lost" || this.#wasClosed) this.#controller.abort(this.#reason);
    else if (this.#phase === "live" && this.#overdue !== undefined) this.#controller.abort(this.#overdue);
    return this.#controller.signal;
  }

  get closing(): AbortSignal {
    return this.hold.store.closing;
  }

  get held(): boolean {
    return this.isLive && !this.hold.isUnsure;
  }

  get expiresInMs(): number {
    return this.held ? this.hold.lease.leftMs : 0;
  }

  get wanted(): AbortSignal {
    if (this.parent !== undefined) return this.parent.wanted;
    return (this.#wanted ??= new WantedSignal(this, () => this.#lender.othersWait?.() === true)).signal;
  }

  mayBeWanted(): void {
    this.#wanted?.look();
  }

  extend(ms: number): Promise<void> {
    return withCallersStack(async () => {
      leaseMs(ms, "extend()'s time");
      if (this.isLive) await this.track(extendHold(this.hold, ms));
      if (this.lossError !== undefined) throw this.lossError;
    });
  }

  token(): string {
    if (this.lossError !== undefined) throw this.lossError;
    return handOutHold(this.hold, this.fence);
  }

  /** Whether no call is in progress under it. */
  get isIdle(): boolean {
    if (this.#isInside?.() === true || this.#writes?.size || this.#mutex?.isLocked === true) return false;
    return [...(this.#children ?? [])].every((child) => child.#byHand?.isIdle === true);
  }

  /** A caller has acquired it by hand, alone or as one of several. `isInside`: a function that it belongs to still runs. */
  markByHand(isInside: (() => boolean) | undefined, as: HeldByHand = this): void {
    this.#isInside = isInside;
    this.#byHand = as;
  }

  closeIfIdle(reason: Error): void {
    if (this.#byHand?.isIdle === true) this.#byHand.close(reason);
  }

  close(reason: Error): Promise<boolean> {
    if (this.hold.isHandedOut) {
      this.hold.lose(reason); // it is left to its lease
    } else if (this.#phase === "live" && this.#released === undefined) {
      this.#reason = reason;
      this.#wasClosed = true;
      runOutside(() => this.#controller?.abort(reason));
      this.end().catch((error: unknown) => warnOfUnanswered(this.title, error));
    }
    return this.end();
  }

  release(): Promise<boolean> {
    return (this.#answer ??= withCallersStack(() => this.end()));
  }

  /** What `release()` does, for internal callers. `because`: what later calls under it are told. */
  end(because?: string): Promise<boolean> {
    if (because !== undefined && this.#phase === "live") this.#reason ??= this.#lost(because);
    return (this.#released ??= this.#tracing?.until(this.#release()) ?? this.#release());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** The lock is lost: notifies the callers that work under this grant. */
  lose(reason: string | Error): void {
    if (this.#phase !== "live") return;
    this.#phase = "lost";
    this.#reason = typeof reason === "string" ? this.#lost(reason) : reason;
    this.#tracing?.lost(this.#reason);
    this.#endChildren(this.#reason);
    runOutside(() => this.#tell(this.#reason));
    this.#lender.onLose?.(this);
    this.#tellOver();
  }

  describe(): HoldTrace | undefined {
    return this.parent === undefined ? holdTraceOf(this.id, this.fence, this.hold.share) : undefined;
  }

  traceBy(tracing: HoldTracing): void {
    this.#tracing = tracing;
  }

  /** Calls `listener` once, when it has been released or lost. At most one listener. */
  whenOver(listener: () => void): void {
    this.#onOver = listener;
  }

  /** The same for what its function waits for [L15]: one listener for each store that it has called. */
  whenOverEndWaits(listener: () => void): void {
    const others = this.#onOverOfWaits;
    const both = (): void => {
      others?.();
      listener();
    };
    this.#onOverOfWaits = others === undefined ? listener : both;
  }

  get title(): string {
    return `the lock ${quoted(this.id)} (fence ${this.fence})`;
  }

  /** `maxHoldMs` is over: aborts the signals of this grant and of those nested in it. It is still held. */
  expire(reason: Error): void {
    if (this.#phase !== "live") return;
    this.#overdue = reason;
    runOutside(() => this.#controller?.abort(reason));
    for (const child of this.#children ?? []) child.expire(reason);
  }

  /** Ends it without its holder. A nested grant leaves the outer one as it is. */
  giveUp(reason: string): void {
    if (this.parent === undefined) this.hold.takeBack(this, reason);
    else void this.end(reason);
  }

  /** The error for a call that comes too late; `undefined` while the grant is live. */
  get lossError(): Error | undefined {
    if (this.isLive) return undefined;
    return this.#reason ?? this.#lost("it was released before");
  }

  /** A write under this grant. The release waits for its reply [S4]. */
  track<T>(write: Promise<T>): Promise<T> {
    const writes = (this.#writes ??= new Set());
    const forget = (): boolean => writes.delete(settled);
    const settled: Promise<unknown> = write.then(forget, forget);
    writes.add(settled);
    void this.parent?.track(write);
    return write;
  }

  /** Has the lock released by a commit that is about to be sent, if it need not be held on. */
  joinRelease(): JoinedRelease | undefined {
    return this.parent === undefined ? this.#lender.joinRelease?.(this) : undefined;
  }

  /** A commit has released the lock: `end()` has nothing left to do there. */
  releasedByCommit(): void {
    if (this.#phase === "live") this.#phase = "ended";
  }

  /** A nested grant has ended. */
  forget(child: HeldGrant): void {
    this.#children?.delete(child);
  }

  #release(): Promise<boolean> {
    const held = this.isLive || this.#phase === "ended";
    if (held) this.#phase = "ended";
    if (this.#children?.size) this.#endChildren(this.#lost("the grant that it was nested in was released"));
    this.hold.giveBack(this);
    this.parent?.forget(this);
    this.#tellOver();
    const released = this.#writes?.size ? this.#releaseAfterWrites() : this.#lender.onRelease(this);
    return held ? released : released.then(() => false);
  }

  #tellOver(): void {
    this.#wanted?.end();
    this.#onOver?.();
    this.#onOverOfWaits?.();
  }

  async #releaseAfterWrites(): Promise<boolean> {
    while (this.#writes?.size) await Promise.all(this.#writes);
    return this.#lender.onRelease(this);
  }

  #lost(reason: string): LockLostError {
    return lockLost(this.id, this.fence, reason);
  }

  /** Listeners run immediately, in the context that noticed the loss, which may be another holder's. */
  #tell(reason: Error | undefined): void {
    publishLost(this.id, this.fence, reason);
    this.#controller?.abort(reason);
  }

  #endChildren(reason: Error): void {
    for (const child of this.#children ?? []) child.lose(reason);
    this.#children?.clear();
  }
}

export function lockLost(id: string, fence: number, reason: string): LockLostError {
  return new LockLostError(
    `The lock ${quoted(id)} (fence ${fence}) is no longer held: ${reason}. ` +
      `Nothing more can be saved under this grant. Acquire the lock again and start from fresh data.`,
  );
}
