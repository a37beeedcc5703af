/**
 * Changes of one state under one hold, applied one after the other and saved together.
 *
 * Between two changes the value passes through bytes, so that each change sees what `load` would return, fails alone,
 * and gets its own copy. The results count once they are saved. If that save is refused, or its outcome is unknown, all
 * changes applied since the last save get that error [S3], including those that failed because of an unsaved change.
 * The saving is in batch-run.ts.
 */
import type { Durability, LoadedState, StateWrite } from "../backends/contract.ts";
import { diagnostics, type UpdateEvent } from "../diagnostics/events.ts";
import type { Hold } from "../leases/hold.ts";
import { HeldGrant, lockLost, type Lender } from "../ownership/grant.ts";
import { runHolding } from "../ownership/held-grants.ts";
import { clause, shownId } from "../errors.ts";
import type { Change } from "./change.ts";
import { onTopOf } from "./formats/on-top-of.ts";
import { Application, type Applied } from "./changes/application.ts";
import { expiryOnTop, mayEndAtOnce } from "./merged-ttl.ts";
import { noteBegin, type WrittenTogether } from "./trace-save.ts";

/** Means "changed, but not saved yet": no caller can get this revision. */
const unsaved = 0;

/** Nothing happens when the grant of one change ends: the batch goes on. */
const stillHeld = Promise.resolve(true);
const silentLender: Lender = { onRelease: () => stillHeld };

export class Batch {
  readonly #hold: Hold;
  /** The fence of all its changes: no other request comes in between. */
  readonly fence: number;
  /** The grant under which its only change is made, if the caller already holds the lock. */
  readonly #grant: HeldGrant | undefined;
  /** What is stored, as far as is known. */
  #stored: LoadedState;
  /** The same with the unsaved changes: `#write`. */
  #current: LoadedState;
  #write: StateWrite | undefined;
  /** Changes applied since the last save. */
  #applied: Application[] = [];
  /** Changes that must be applied again. */
  #again: Change[] = [];
  /** When the newest of the changes since the last save arrived. */
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

  /** Whether it may still be saved, as far as is known. */
  get isLive(): boolean {
    return this.#grant?.isLive ?? this.#hold.isLive;
  }

  /** Why nothing in it can be saved. */
  get lossError(): Error {
    const ended = this.#grant?.lossError;
    if (ended !== undefined) return ended;
    const { id, lostFor = "its lease ended before the save" } = this.#hold;
    return lockLost(id, this.fence, typeof lostFor === "string" ? lostFor : insideSentence(lostFor.message));
  }

  /** A write of it is in progress. A grant that it is made under waits for the reply before its release [S4]. */
  track<T>(write: Promise<T>): Promise<T> {
    return this.#grant?.track(write) ?? write;
  }

  /** The write on top of what is stored, if that has not changed. */
  get write(): StateWrite | undefined {
    const [write, stored] = [this.#write, this.#stored];
    if (write === undefined) return undefined;
    if (stored !== null) return onTopOf(stored, write);
    if (write.kind === "touch") throw new Error(`HOLDFAST_TOUCHES_NOTHING: ${shownId(this.#hold.id)}`);
    return { ...write, ifRevision: "absent" };
  }

  /** No caller waits for the next save. */
  get isEmpty(): boolean {
    return this.#applied.length === 0;
  }

  /** Whether there is something to write, or replicas to wait for. */
  get needsSave(): boolean {
    if (this.#write !== undefined) return true;
    return this.durability !== undefined && this.#applied.some(({ failure }) => failure === undefined);
  }

  /** Whether what it writes may be gone at once, by the server's clock. */
  get mayEndAtOnce(): boolean {
    return mayEndAtOnce(this.#write);
  }

  /** When the newest of the changes that wait for the next save arrived. */
  get newestAt(): number {
    return this.#newestAt;
  }

  /** The ids, and the calls that the next save answers. */
  describe(): WrittenTogether {
    const changes = this.#applied.filter(({ failure }) => failure === undefined);
    return { ids: [this.#hold.id], changes: changes.map(({ change }) => change) };
  }

  /** What is stored, as far as is known: the next batch of this hold may start from it. */
  get stored(): LoadedState {
    return this.#stored;
  }

  /** How many times its changes have been applied from the beginning. */
  get starts(): number {
    return this.#starts;
  }

  /** How many replicas must have it before any of its callers succeeds. */
  get durability(): Durability | undefined {
    return this.#first?.durability;
  }

  /**
   * Whether the change can join: all changes of a batch wait for the same replicas, so that no caller waits for
   * another's.
   */
  takes({ durability }: Change): boolean {
    if (this.#first === undefined) return true;
    if (this.mayEndAtOnce) return false; // the next one must see what is stored by then
    const mine = this.durability;
    return mine?.replicas === durability?.replicas && mine?.timeoutMs === durability?.timeoutMs;
  }

  /** Whether the last change's caller learns the revision: then save before anything else is applied. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Applies one change to the result of the others, in its caller's context, as the owner of the lock. */
  apply(change: Change): Applied {
    this.#first ??= change;
    if (change.trace !== undefined) noteBegin(change.trace, change.arrivedAt, this.fence);
    const hold = this.#hold;
    const grant = this.#grant ?? new HeldGrant({ hold, fence: this.fence, lender: silentLender });
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
        if (grant !== this.#grant) application.grant = grant;
        return application;
      }
      application.write = write;
    } catch (error) {
      fail(error);
    }
    void this.#endGrant(grant);
    return application;
  }

  /** A caller's own grant is not ended here. */
  #endGrant(grant: HeldGrant): Promise<boolean> {
    return grant === this.#grant ? stillHeld : grant.end();
  }

  /** Its function has ended. Returns whether the result counts: not if the batch has started again since. */
  take(applied: Applied): boolean {
    if (!(applied instanceof Application) || applied.start !== this.#starts) return false;
    applied.onUnsaved &&= this.#write !== undefined; // they may have been saved while it ran
    this.#applied.push(applied);
    this.#newestAt = Math.max(this.#newestAt, applied.change.arrivedAt);
    if (applied.write !== undefined) this.#change(applied.write);
    applied.write = undefined; // the later write replaces it: its bytes need not be kept for as long as the batch
    if (applied.failure === undefined) this.#closed = applied.change.wantsRevision || this.mayEndAtOnce;
    return true;
  }

  /**
   * What was loaded has expired, or another program has changed it: all changes are applied again, to what is stored
   * now.
   */
  restart(stored: LoadedState): void {
    this.#again.unshift(...this.#applied.map(({ change }) => change));
    this.#applied = [];
    this.#stored = stored;
    this.#current = stored;
    this.#write = undefined;
    this.#closed = false;
    this.#starts += 1;
  }

  /** Everything is saved; this is what is stored now. The changes that must be applied again are applied to it. */
  startFrom(stored: LoadedState): void {
    this.#stored = stored;
    this.#current = stored;
  }

  get hasAgain(): boolean {
    return this.#again.length > 0;
  }

  /** The next change that must be applied again. */
  takeAgain(): Change | undefined {
    return this.#again.shift();
  }

  /** Saved at this revision (`null`: deleted, or nothing to save): settles all changes applied so far. */
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

  /**
   * Not saved, or not known to be saved. A change that failed on a saved state keeps its own error, which is still
   * true.
   */
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
    if (write.kind === "touch") {
      const before = this.#write;
      this.#write = before?.kind === "save" ? { ...before, ttlMs: write.ttlMs } : write;
      return;
    }
    this.#write = { ...write, ttlMs: expiryOnTop(this.#write, write.ttlMs) };
    this.#current = { revision: unsaved, serializer: write.serializer, bytes: write.bytes };
  }
}

/** Publishes a write that was acknowledged, and the number of callers that it answered. */
export function publishUpdate(id: string, changes: number, write: StateWrite): void {
  if (!diagnostics.update.hasSubscribers) return;
  const bytes = write.kind === "save" ? write.bytes.byteLength : 0;
  diagnostics.update.publish({ id: shownId(id), jobs: changes, bytes } satisfies UpdateEvent);
}

/** As part of a sentence: "The store was closed." → "the store was closed". */
function insideSentence(message: string): string {
  return clause(message.charAt(0).toLowerCase() + message.slice(1));
}
