/**
 * Changes of one state under one hold, applied one after the other and saved together.
 *
 * Between two changes the value passes through bytes, so that each sees what `load` would give it, fails alone, and
 * gets its own copy. What each of them was told of the state counts once it is saved: if that is refused, or its fate is
 * unknown, all that were applied since the last save share that answer [S3]; also those that failed because of a change that
 * was not saved yet. The saving itself is done by batch-run.ts.
 */
import type { Durability, LoadedState, StateWrite } from "../backends/contract.ts";
import { diagnostics, type UpdateEvent } from "../diagnostics.ts";
import type { Hold } from "../leases/hold.ts";
import { HeldGrant, lockLost, type Lender } from "../ownership/grant.ts";
import { runHolding } from "../ownership/owner-context.ts";
import { clause } from "../errors.ts";
import type { Change } from "./change.ts";
import { expiryOnTop } from "./batch-expiry.ts";

/** Stands for "changed, but not saved yet": no revision that a caller can know. */
const unsaved = 0;

/** Nothing happens when the grant of one change ends: the batch goes on. */
const stillHeld = Promise.resolve(true);
const nobody: Lender = { onRelease: () => stillHeld };

/** A change whose function runs, or has run. */
export interface Applied {
  readonly change: Change;
  /** Resolves when the function is over; `undefined`: it is. */
  readonly over: Promise<void> | undefined;
}

class Application implements Applied {
  readonly change: Change;
  /** Which state it was applied to: that of this start of the batch. */
  readonly start: number;
  /** That state had changes in it which are not saved yet. */
  onUnsaved: boolean;
  over: Promise<void> | undefined;
  write: StateWrite | undefined;
  failure: { readonly error: unknown } | undefined;

  constructor(change: Change, on: { readonly start: number; readonly onUnsaved: boolean }) {
    this.change = change;
    this.start = on.start;
    this.onUnsaved = on.onUnsaved;
  }
}

export class Batch {
  readonly #hold: Hold;
  /** Of all changes: no other request comes in between. */
  readonly fence: number;
  /** The grant that its only change is made under, where the caller holds the lock already. */
  readonly #grant: HeldGrant | undefined;
  /** What is stored, as far as we know. */
  #stored: LoadedState;
  /** The same with the changes that were not saved yet: `#write`. */
  #current: LoadedState;
  #write: StateWrite | undefined;
  /** Those applied since the last save. */
  #applied: Application[] = [];
  /** Those that must be applied again. */
  #again: Change[] = [];
  /** When the last of those came. */
  #newestAt = -Infinity;
  #starts = 0;
  #first: Change | undefined;
  #closed = false;

  constructor(hold: Hold, stored: LoadedState, grant?: HeldGrant) {
    this.#hold = hold;
    this.#grant = grant;
    this.fence = grant?.fence ?? hold.takeFence();
    this.#stored = stored;
    this.#current = stored;
  }

  /** May it still be saved, as far as we know? */
  get isLive(): boolean {
    return this.#grant?.isLive ?? this.#hold.isLive;
  }

  /** Why nothing of it can be saved. */
  get lossError(): Error {
    const ended = this.#grant?.lossError;
    if (ended !== undefined) return ended;
    const { id, lostFor = "its lease ended before the save" } = this.#hold;
    return lockLost(id, this.fence, typeof lostFor === "string" ? lostFor : insideSentence(lostFor.message));
  }

  /** A write of it is under way: a grant that it is made under waits for the answer before its release [S4]. */
  track<T>(write: Promise<T>): Promise<T> {
    return this.#grant?.track(write) ?? write;
  }

  /** To be saved on top of what is stored, if that is still there. */
  get write(): StateWrite | undefined {
    if (this.#write === undefined || this.#stored === null) {
      return this.#write && { ...this.#write, ifRevision: "absent" };
    }
    return { ...this.#write, ifRevision: "unreadable" in this.#stored ? undefined : this.#stored.revision };
  }

  /** No caller waits for the next save. */
  get isEmpty(): boolean {
    return this.#applied.length === 0;
  }

  /** Is there something to write, or are replicas to be waited for? */
  get needsSave(): boolean {
    if (this.#write !== undefined) return true;
    return this.durability !== undefined && this.#applied.some(({ failure }) => failure === undefined);
  }

  /** When the last of those came that wait for the next save. */
  get newestAt(): number {
    return this.#newestAt;
  }

  /** What is stored, as far as we know: the next batch of this hold may start from there. */
  get stored(): LoadedState {
    return this.#stored;
  }

  /** How often its changes have been applied from the beginning. */
  get starts(): number {
    return this.#starts;
  }

  /** What must have reached replicas before any of its callers hears of success. */
  get durability(): Durability | undefined {
    return this.#first?.durability;
  }

  /** All of them wait for the same replicas; no caller waits for what another asked for. */
  takes({ durability }: Change): boolean {
    if (this.#first === undefined) return true;
    const mine = this.durability;
    return mine?.replicas === durability?.replicas && mine?.timeoutMs === durability?.timeoutMs;
  }

  /** The last change's caller learns the revision: save before anything else is applied. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Applies one change to what the others left, in its caller's context, as the owner of the lock. */
  apply(change: Change): Applied {
    this.#first ??= change;
    const hold = this.#hold;
    const grant = this.#grant ?? new HeldGrant({ hold, fence: this.fence, lender: nobody });
    const application = new Application(change, {
      start: this.#starts,
      onUnsaved: this.#write !== undefined,
    });
    const fail = (error: unknown): void => void (application.failure = { error });
    const link = { store: hold.store, grant, draft: true };
    const current = this.#current;
    try {
      const write = change.inCallersContext(() => runHolding(link, () => change.apply(current, grant)));
      if (write instanceof Promise) {
        application.over = write
          .then((made) => void (application.write = made), fail)
          .then(() => this.#endGrant(grant))
          .then(() => undefined);
        return application;
      }
      application.write = write;
    } catch (error) {
      fail(error);
    }
    void this.#endGrant(grant);
    return application;
  }

  /** A grant of the caller's goes on. */
  #endGrant(grant: HeldGrant): Promise<boolean> {
    return grant === this.#grant ? stillHeld : grant.end();
  }

  /** Its function is over. Answers whether it counts: not when the state that it was applied to never came to be. */
  take(applied: Applied): boolean {
    if (!(applied instanceof Application) || applied.start !== this.#starts) return false;
    applied.onUnsaved &&= this.#write !== undefined; // they may have been saved while it ran
    this.#applied.push(applied);
    this.#newestAt = Math.max(this.#newestAt, applied.change.arrivedAt);
    if (applied.write !== undefined) this.#change(applied.write);
    applied.write = undefined; // what came after it stands for it now: its bytes need not outlive the others'
    if (applied.failure === undefined) this.#closed = applied.change.wantsRevision;
    return true;
  }

  /** What was loaded has expired or was changed behind the protocol's back: all are applied again, to what is there now. */
  restart(stored: LoadedState): void {
    this.#again.unshift(...this.#applied.map(({ change }) => change));
    this.#applied = [];
    this.#stored = stored;
    this.#current = stored;
    this.#write = undefined;
    this.#closed = false;
    this.#starts += 1;
  }

  get hasAgain(): boolean {
    return this.#again.length > 0;
  }

  /** The next that must be applied again. */
  takeAgain(): Change | undefined {
    return this.#again.shift();
  }

  /** Saved, at this revision (`null`: it was deleted, or there was nothing to save): told to all that were applied before. */
  saved(revision: number | null): void {
    const applied = this.#applied;
    this.#applied = [];
    this.#closed = false;
    if (this.#write !== undefined) {
      const changes = applied.filter(({ failure }) => failure === undefined).length;
      publishUpdate(this.#hold.id, changes, this.#write);
      const current = this.#current;
      this.#stored = current !== null && revision !== null ? { ...current, revision } : null;
      this.#current = this.#stored;
      this.#write = undefined;
    }
    for (const { change, failure } of applied) {
      if (failure === undefined) change.done(revision);
      else change.fail(failure.error);
    }
  }

  /** Not saved, or not known to be saved. A change that failed on what was stored keeps its own error, which remains true. */
  refuse(error: unknown): void {
    const [applied, again] = [this.#applied, this.#again];
    this.#applied = [];
    this.#again = [];
    for (const { change, failure, onUnsaved } of applied) {
      change.fail(failure === undefined || onUnsaved ? error : failure.error);
    }
    for (const change of again) change.fail(error);
  }

  #change(write: StateWrite): void {
    if (write.kind === "delete") {
      this.#write = write;
      this.#current = null;
      return;
    }
    this.#write = { ...write, ttlMs: expiryOnTop(this.#write, write.ttlMs) };
    this.#current = { revision: unsaved, serializer: write.serializer, bytes: write.bytes };
  }
}

/** A write was acknowledged; it answered this many callers. */
export function publishUpdate(id: string, changes: number, write: StateWrite): void {
  if (!diagnostics.update.hasSubscribers) return;
  const bytes = write.kind === "save" ? write.bytes.byteLength : 0;
  diagnostics.update.publish({ id, jobs: changes, bytes } satisfies UpdateEvent);
}

/** As words within a sentence: "The store was closed." → "the store was closed". */
function insideSentence(message: string): string {
  return clause(message.charAt(0).toLowerCase() + message.slice(1));
}
