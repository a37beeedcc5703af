/**
 * A grant of several locks: one signal, one release [L14].
 *
 * It is made of a grant of each lock, and is whole or over: if one of them is lost, the signal aborts, and then the
 * others are released.
 */
import { withCallersStack } from "../caller-stacks.ts";
import type { HoldTracing, Traceable } from "../diagnostics/hold-tracing.ts";
import type { HoldTrace } from "../diagnostics/traces.ts";
import { lockLost, type HeldGrant } from "./grant.ts";
import type { HeldByHand } from "./lender.ts";
import type { Limited } from "./hold-limit.ts";
import { warnOfUnanswered } from "./unanswered-release.ts";

/**
 * Several locks that you hold. Release them, or let `await using` do it.
 *
 * @example
 * ```ts
 * await using grant = await store.lockAll(["account:1", "account:2"]).acquire();
 * await transfer({ fence: grant.fences["account:1"], signal: grant.signal });
 * ```
 */
export interface GrantSet<Id extends string = string> extends AsyncDisposable {
  /** In the order of their UTF-8 bytes, each once. */
  readonly ids: readonly Id[];
  /** The fence of each id: see {@link Grant.fence}. */
  readonly fences: Readonly<Record<Id, number>>;
  /**
   * Aborts when one of the locks is lost or `maxHoldMs` is over (`reason`: LockLostError), or the store closes
   * (ClosedError); never after release. When one is lost, the others are released.
   */
  readonly signal: AbortSignal;
  /** Aborts when the store begins to close, while the locks are still held: see {@link Grant.closing}. */
  readonly closing: AbortSignal;
  /**
   * Releases the locks. May be repeated: every call returns the result of the first.
   *
   * @returns true: all were still held until now. false: one had been lost before.
   * @throws UnavailableError if the backend did not answer within `operationMs`; the leases then expire.
   */
  release(): Promise<boolean>;
}

export class HeldSet<Id extends string = string> implements GrantSet<Id>, Limited, Traceable, HeldByHand {
  readonly ids: readonly Id[];
  readonly fences: Readonly<Record<Id, number>>;
  /** The grant of each id, in order. */
  readonly grants: readonly HeldGrant[];
  #isOver = false;
  #lossError: Error | undefined;
  #onOver: (() => void) | undefined;
  #signal: AbortSignal | undefined;
  #tracing: HoldTracing | undefined;
  #released: Promise<boolean> | undefined;
  #answer: Promise<boolean> | undefined;

  constructor(grants: readonly HeldGrant[]) {
    this.grants = grants;
    this.ids = grants.map(({ id }) => id as Id);
    const fences = Object.create(null) as Record<Id, number>; // an id may be any text, such as "__proto__"
    for (const { id, fence } of grants) fences[id as Id] = fence;
    this.fences = fences;
    for (const grant of grants) grant.whenOver(() => this.#isOneOver(grant));
    for (const grant of grants) if (!grant.isLive) this.#isOneOver(grant); // lost while the last one was waited for
  }

  get title(): string {
    return `the locks ${this.ids.map((id) => JSON.stringify(id)).join(", ")}`;
  }

  get signal(): AbortSignal {
    const signals = this.grants.map(({ signal }) => signal); // [L5] checks the clock
    return (this.#signal ??= AbortSignal.any(signals));
  }

  get closing(): AbortSignal {
    const [first] = this.grants;
    if (first === undefined) throw new Error("HOLDFAST_EMPTY_SET");
    return first.closing;
  }

  get isIdle(): boolean {
    return this.grants.every((grant) => grant.isIdle);
  }

  /** A caller has acquired it by hand. `isInside`: whether a function that it belongs to is still running. */
  markByHand(isInside: (() => boolean) | undefined): void {
    for (const grant of this.grants) grant.markByHand(isInside, this);
  }

  close(reason: Error): void {
    if (this.#isOver) return;
    this.#end();
    const released = Promise.allSettled(this.grants.map((grant) => grant.close(reason))).then((ends) =>
      ends.every((end) => end.status === "fulfilled" && end.value),
    );
    this.#released = this.#tracing?.until(released) ?? released;
  }

  /** Why they were lost; `undefined` if they were not. */
  get lossError(): Error | undefined {
    return this.#lossError;
  }

  get lostByRelease(): Error | undefined {
    return this.#lossError;
  }

  release(): Promise<boolean> {
    return (this.#answer ??= withCallersStack(() => this.end()));
  }

  /** What `release()` does, for internal callers. */
  end(): Promise<boolean> {
    return (this.#released ??= this.#tracing?.until(this.#release()) ?? this.#release());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  whenOver(listener: () => void): void {
    this.#onOver = listener;
  }

  expire(reason: Error): void {
    for (const grant of this.grants) grant.expire(reason);
  }

  giveUp(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    for (const grant of this.grants) grant.giveUp(reason);
    this.#lossError = this.grants.find(({ lossError }) => lossError !== undefined)?.lossError;
    this.#tracing?.lost(this.#lossError);
  }

  describe(): HoldTrace | undefined {
    if (this.grants.every(({ parent }) => parent !== undefined)) return undefined;
    return { kind: "locks", ids: this.ids, fences: this.grants.map(({ fence }) => fence) };
  }

  traceBy(tracing: HoldTracing): void {
    this.#tracing = tracing;
  }

  /** One of the grants was lost, or released by this set. */
  #isOneOver(lost: HeldGrant): void {
    if (this.#isOver) return;
    this.#end();
    this.#lossError = lost.lossError;
    this.#tracing?.lost(this.#lossError);
    for (const grant of this.grants) {
      const ended = grant.end(
        `the lock ${JSON.stringify(lost.id)}, which was acquired together with it, was lost`,
      );
      ended.catch((error: unknown) => warnOfUnanswered(grant.title, error));
    }
  }

  async #release(): Promise<boolean> {
    if (!this.#isOver) this.#end();
    const ends = await Promise.allSettled(this.grants.map((grant) => grant.end()));
    if (this.#lossError !== undefined) return false;
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const lost = this.grants.find((_, index) => ends[index]?.status === "fulfilled" && !ends[index].value);
    if (lost === undefined) return true;
    this.#lossError = lockLost(lost.id, lost.fence, "it was lost before its release");
    return false;
  }

  /** Its parts report nothing any more. */
  #end(): void {
    this.#isOver = true;
    this.#onOver?.();
  }
}
