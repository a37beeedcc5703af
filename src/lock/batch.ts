/**
 * State jobs of one turn, applied one after the other and saved once.
 *
 * Between two jobs the value passes through bytes, so that each sees what `load` would give it, fails alone, and
 * gets its own copy. If the save is refused, or nobody knows what became of it, all of them share that answer [S3].
 */
import type { Durability, LoadedState, StateWrite } from "../backends/backend.ts";
import { diagnostics, type UpdateEvent } from "../diagnostics.ts";
import { ConflictError } from "../errors.ts";
import { HeldGrant, type Lender } from "./grant.ts";
import { runHolding } from "./held.ts";
import type { StateJob, StateTask } from "./job.ts";
import type { Turn } from "./turn.ts";

/** Stands for "changed, but not saved yet": no revision that a caller can know. */
const unsaved = 0;

/** Nothing happens when the grant of one job ends: the batch goes on. */
const stillHeld = Promise.resolve(true);
const nobody: Lender = { onRelease: () => stillHeld };

export class Batch {
  readonly #owner: object;
  readonly #turn: Turn;
  readonly fence: number;
  #stored: LoadedState;
  #current: LoadedState;
  #write: StateWrite | undefined;
  #jobs: StateJob[] = [];
  #first: StateJob | undefined;
  /** Those that failed alone; they learn it with the others, when the lock is not theirs any more. */
  readonly #failed: { readonly job: StateJob; readonly error: unknown }[] = [];
  #closed = false;

  constructor(owner: object, turn: Turn, stored: LoadedState) {
    this.#owner = owner;
    this.#turn = turn;
    this.fence = turn.takeFence(); // one grant for all of them: nobody else comes in between
    this.#stored = stored;
    this.#current = stored;
  }

  /** What the next batch of this turn may start from, once this one is saved at `revision`. */
  storedAfter(revision: number | null): LoadedState {
    if (this.#current === null || "unreadable" in this.#current || this.#write === undefined)
      return this.#current;
    return revision === null ? null : { ...this.#current, revision };
  }

  /** To be saved on top of what was loaded, if that is still there. */
  get write(): StateWrite | undefined {
    if (this.#write === undefined || this.#stored === null) {
      return this.#write && { ...this.#write, ifRevision: "absent" };
    }
    return { ...this.#write, ifRevision: "unreadable" in this.#stored ? undefined : this.#stored.revision };
  }

  get size(): number {
    return this.#jobs.length;
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

  /** Applies one job, in its caller's context, as the owner of the lock. It fails alone. */
  async add(job: StateJob): Promise<void> {
    this.#first ??= job;
    const grant = new HeldGrant({ turn: this.#turn, fence: this.fence, lender: nobody });
    try {
      const link = { owner: this.#owner, grant, draft: true };
      const apply = (): ReturnType<StateTask["apply"]> => job.task.apply(this.#current, grant);
      const write = await job.inCallersContext(() => runHolding(link, apply));
      if (write !== undefined) this.#apply(write);
      this.#jobs.push(job);
      this.#closed = job.task.wantsRevision;
    } catch (error) {
      this.#failed.push({ job, error });
    } finally {
      await grant.release();
    }
  }

  /** What was loaded has expired or was changed behind the protocol's back: once more, on what is there now. */
  async redo(stored: LoadedState): Promise<void> {
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#stored = stored;
    this.#current = stored;
    this.#write = undefined;
    for (const job of jobs) await this.add(job);
  }

  done(revision: number | null): void {
    if (this.#write !== undefined) publishUpdate(this.#turn.id, this.#jobs.length, this.#write);
    for (const job of this.#jobs) job.task.done(revision);
    this.#tellFailed();
  }

  fail(error: unknown): void {
    for (const job of this.#jobs) job.fail(error);
    this.#tellFailed();
  }

  #tellFailed(): void {
    for (const { job, error } of this.#failed) job.fail(error);
  }

  #apply(write: StateWrite): void {
    if (write.kind === "delete") {
      this.#write = write;
      this.#current = null;
      return;
    }
    // "keep" on top of a write of this batch keeps what that one set [S7].
    const before =
      this.#write?.kind === "save" ? this.#write.ttlMs : this.#write === undefined ? "keep" : "none";
    this.#write = { ...write, ttlMs: write.ttlMs === "keep" ? before : write.ttlMs };
    this.#current = { revision: unsaved, serializer: write.serializer, bytes: write.bytes };
  }
}

/** A write was acknowledged; it answered so many callers. */
export function publishUpdate(id: string, jobs: number, write: StateWrite): void {
  if (!diagnostics.update.hasSubscribers) return;
  const bytes = write.kind === "save" ? write.bytes.byteLength : 0;
  diagnostics.update.publish({ id, jobs, bytes } satisfies UpdateEvent);
}

/** An update whose state changes under it is done again so often; the lock makes that rare. */
export const maxTries = 16;

export function restless(id: string): ConflictError {
  return new ConflictError(
    `The state ${JSON.stringify(id)} changed ${maxTries} times while it was being updated under its lock: ` +
      `somebody writes it without the lock, or its ttlMs is shorter than the update takes.`,
  );
}
