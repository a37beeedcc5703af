/**
 * State jobs of one turn, applied one after the other and saved together.
 *
 * Between two jobs the value passes through bytes, so that each sees what `load` would give it, fails alone, and
 * gets its own copy. What each of them heard of the state counts once it is saved: if that is refused, or its fate is
 * unknown, all that were applied since the last save share that answer [S3]; also those that failed because of a change that
 * was not saved yet. What was saved in the end is told by whoever saves: batch-run.ts.
 */
import type { Durability, LoadedState, StateWrite } from "../backends/contract.ts";
import { diagnostics, type UpdateEvent } from "../diagnostics.ts";
import { HeldGrant, type Lender } from "../ownership/grant.ts";
import { runHolding } from "../ownership/owner-context.ts";
import type { StateJob } from "../scheduling/request.ts";
import { lifeOnTop } from "./expiry.ts";
import type { Turn } from "../leases/turn.ts";

/** Stands for "changed, but not saved yet": no revision that a caller can know. */
const unsaved = 0;

/** Nothing happens when the grant of one job ends: the batch goes on. */
const stillHeld = Promise.resolve(true);
const nobody: Lender = { onRelease: () => stillHeld };

/** A job whose function runs, or has run. */
export interface Applied {
  readonly job: StateJob;
  /** Resolves when the function is over; `undefined`: it is. */
  readonly over: Promise<void> | undefined;
}

class Application implements Applied {
  readonly job: StateJob;
  /** Which state it was applied to: that of this start of the batch. */
  readonly start: number;
  /** That state had changes in it which are not saved yet. */
  onUnsaved: boolean;
  over: Promise<void> | undefined;
  write: StateWrite | undefined;
  failure: { readonly error: unknown } | undefined;

  constructor(job: StateJob, on: { readonly start: number; readonly onUnsaved: boolean }) {
    this.job = job;
    this.start = on.start;
    this.onUnsaved = on.onUnsaved;
  }
}

export class Batch {
  readonly #owner: object;
  readonly #turn: Turn;
  readonly fence: number;
  /** What is stored, as far as we know. */
  #stored: LoadedState;
  /** The same with the changes that were not saved yet: `#write`. */
  #current: LoadedState;
  #write: StateWrite | undefined;
  /** Those applied since the last save. */
  #applied: Application[] = [];
  /** Those that must be applied again. */
  #again: StateJob[] = [];
  /** When the last of those came. */
  #newestAt = -Infinity;
  #starts = 0;
  #first: StateJob | undefined;
  #closed = false;

  constructor(owner: object, turn: Turn, stored: LoadedState) {
    this.#owner = owner;
    this.#turn = turn;
    this.fence = turn.takeFence(); // one grant for all of them: nobody else comes in between
    this.#stored = stored;
    this.#current = stored;
  }

  /** To be saved on top of what is stored, if that is still there. */
  get write(): StateWrite | undefined {
    if (this.#write === undefined || this.#stored === null) {
      return this.#write && { ...this.#write, ifRevision: "absent" };
    }
    return { ...this.#write, ifRevision: "unreadable" in this.#stored ? undefined : this.#stored.revision };
  }

  /** Nobody waits for the next save. */
  get isEmpty(): boolean {
    return this.#applied.length === 0;
  }

  /** When the last of those came that wait for the next save. */
  get newestAt(): number {
    return this.#newestAt;
  }

  /** What is stored, as far as we know: the next batch of this turn may start from there. */
  get stored(): LoadedState {
    return this.#stored;
  }

  /** How often its jobs have been applied from the beginning. */
  get starts(): number {
    return this.#starts;
  }

  /** What must have reached replicas before any of its callers hears of success. */
  get durability(): Durability | undefined {
    return this.#first?.durability;
  }

  /** All of them wait for the same, or nobody waits for what another asked for. */
  takes({ durability }: StateJob): boolean {
    if (this.#first === undefined) return true;
    const mine = this.durability;
    return mine?.replicas === durability?.replicas && mine?.timeoutMs === durability?.timeoutMs;
  }

  /** The last job's caller learns the revision: save before anything else is applied. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Applies one job to what the others left, in its caller's context, as the owner of the lock. */
  apply(job: StateJob): Applied {
    this.#first ??= job;
    const grant = new HeldGrant({ turn: this.#turn, fence: this.fence, lender: nobody });
    const application = new Application(job, {
      start: this.#starts,
      onUnsaved: this.#write !== undefined,
    });
    const fail = (error: unknown): void => void (application.failure = { error });
    const link = { owner: this.#owner, grant, draft: true };
    const current = this.#current;
    try {
      const write = job.inCallersContext(() => runHolding(link, () => job.task.apply(current, grant)));
      if (write instanceof Promise) {
        application.over = write
          .then((made) => void (application.write = made), fail)
          .then(() => grant.end())
          .then(() => undefined);
        return application;
      }
      application.write = write;
    } catch (error) {
      fail(error);
    }
    void grant.end();
    return application;
  }

  /** Its function is over. Answers whether it counts: not when the state that it was applied to never came to be. */
  take(applied: Applied): boolean {
    if (!(applied instanceof Application) || applied.start !== this.#starts) return false;
    applied.onUnsaved &&= this.#write !== undefined; // they may have been saved while it ran
    this.#applied.push(applied);
    this.#newestAt = Math.max(this.#newestAt, applied.job.arrivedAt);
    if (applied.write !== undefined) this.#change(applied.write);
    applied.write = undefined; // what came after it stands for it now: its bytes need not outlive the others'
    if (applied.failure === undefined) this.#closed = applied.job.task.wantsRevision;
    return true;
  }

  /** What was loaded has expired or was changed behind the protocol's back: all are applied again, to what is there now. */
  restart(stored: LoadedState): void {
    this.#again.unshift(...this.#applied.map(({ job }) => job));
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
  takeAgain(): StateJob | undefined {
    return this.#again.shift();
  }

  /** Saved, at this revision (`null`: it was deleted, or there was nothing to save): told to all that were applied before. */
  saved(revision: number | null): void {
    const applied = this.#applied;
    this.#applied = [];
    this.#closed = false;
    if (this.#write !== undefined) {
      const jobs = applied.filter(({ failure }) => failure === undefined).length;
      publishUpdate(this.#turn.id, jobs, this.#write);
      const current = this.#current;
      this.#stored = current !== null && revision !== null ? { ...current, revision } : null;
      this.#current = this.#stored;
      this.#write = undefined;
    }
    for (const { job, failure } of applied) {
      if (failure === undefined) job.done(revision);
      else job.fail(failure.error);
    }
  }

  /** Not saved, or nobody knows. A job that failed on what was stored keeps its own error: that is true whatever comes. */
  refuse(error: unknown): void {
    const [applied, again] = [this.#applied, this.#again];
    this.#applied = [];
    this.#again = [];
    for (const { job, failure, onUnsaved } of applied) {
      job.fail(failure === undefined || onUnsaved ? error : failure.error);
    }
    for (const job of again) job.fail(error);
  }

  #change(write: StateWrite): void {
    if (write.kind === "delete") {
      this.#write = write;
      this.#current = null;
      return;
    }
    this.#write = { ...write, ttlMs: lifeOnTop(this.#write, write.ttlMs) };
    this.#current = { revision: unsaved, serializer: write.serializer, bytes: write.bytes };
  }
}

/** A write was acknowledged; it answered so many callers. */
export function publishUpdate(id: string, jobs: number, write: StateWrite): void {
  if (!diagnostics.update.hasSubscribers) return;
  const bytes = write.kind === "save" ? write.bytes.byteLength : 0;
  diagnostics.update.publish({ id, jobs, bytes } satisfies UpdateEvent);
}
