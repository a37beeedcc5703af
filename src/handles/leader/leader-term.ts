/**
 * A term: the lock of a leader while one call has it, and the record that proclaims it.
 *
 * In order, it ends twice: the record is deleted, then the lock is released. So the next term of this process, which may
 * get the lock without a call of the backend, never has the record of an earlier one [E1].
 */
import type { Durability } from "../../backends/contract.ts";
import { withCallersStack } from "../../caller-stacks.ts";
import { LockLostError, shownId } from "../../errors.ts";
import { onAbort, onCallersAbort } from "../../ownership/abort-listeners.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import { warnOfUnanswered } from "../../ownership/unanswered-release.ts";
import type { Session } from "../../session.ts";
import { changeUnder } from "../../updates/change-under-grant.ts";
import { DeleteChange, SaveChange, type Change } from "../../updates/change.ts";
import type { Codec } from "../../updates/codec.ts";
import { recordOf } from "./leader-record.ts";
import type { Term } from "./leader.ts";

export interface TermOptions {
  readonly id: string;
  readonly session: Session;
  readonly codec: Codec;
  readonly grant: HeldGrant;
  readonly durability: Durability | undefined;
  /** The caller's signal. */
  readonly signal: AbortSignal | undefined;
}

export class HeldTerm<T> implements Term<T> {
  readonly id: string;
  readonly since = new Date();
  readonly #of: TermOptions;
  readonly #controller = new AbortController();
  readonly #stops: readonly (() => void)[];
  #ended: Promise<void> | undefined;
  /** Set when it ends. */
  #wasLost: boolean | undefined;

  constructor(of: TermOptions) {
    this.#of = of;
    this.id = of.id;
    const { grant, session, signal } = of;
    const abort = (reason: unknown): void => this.#controller.abort(reason);
    const own = [grant.signal, session.ending];
    for (const one of own) if (one.aborted) abort(one.reason);
    this.#stops = [...own.map((one) => onAbort(one, abort)), onCallersAbort(signal, abort)];
  }

  get fence(): number {
    return this.#of.grant.fence;
  }

  get signal(): AbortSignal {
    this.#of.grant.hold.checkExpiry();
    return this.#controller.signal;
  }

  get closing(): AbortSignal {
    return this.#of.grant.closing;
  }

  /** Whether it ended although nobody wanted that. */
  isLost(): boolean {
    return this.#wasLost ?? !this.#of.grant.isLive;
  }

  proclaim(value: T | undefined): Promise<void> {
    return withCallersStack(() => this.#proclaim(value));
  }

  resign(): Promise<void> {
    const text = `The term of ${shownId(this.#of.grant.id)} (fence ${this.fence}) was resigned.`;
    if (this.#ended === undefined) this.#controller.abort(new LockLostError(text));
    return this.end();
  }

  async #proclaim(value: T | undefined): Promise<void> {
    const { codec } = this.#of;
    const bytes = recordOf(codec, { fence: this.fence, since: this.since.getTime(), value });
    const save = { bytes, ttlMs: "none", ifRevision: undefined } as const;
    await this.#make(new SaveChange(this.#target, save));
  }

  /** Ends the term, if it has not been lost. Every call returns the promise of the first. */
  end(): Promise<void> {
    this.#wasLost ??= !this.#of.grant.isLive;
    return (this.#ended ??= this.#end());
  }

  async #end(): Promise<void> {
    const { grant } = this.#of;
    for (const stop of this.#stops) stop();
    try {
      if (grant.isLive) await this.#make(new DeleteChange(this.#target, undefined));
    } catch {
      grant.hold.taint(); // the record may still be there: the next term gets the lock from the backend, with other fences
    }
    // The function has ended: a release without a reply changes nothing for its caller.
    await grant.end().catch((error: unknown) => warnOfUnanswered(grant.title, error));
  }

  #make<R>(change: Change<R>): Promise<R> {
    const { grant, session } = this.#of;
    const { leaseMs } = grant.hold;
    void changeUnder(session.calls, change, { grant, leaseMs, waitMs: Infinity, signal: undefined });
    return change.promise;
  }

  get #target(): ConstructorParameters<typeof SaveChange>[0] {
    const { grant, codec, durability } = this.#of;
    return { id: grant.id, codec, durability };
  }
}
