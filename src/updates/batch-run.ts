/**
 * A run of changes under one hold: the state is loaded once, and the changes are applied one after another and saved
 * together. This is the only place where a state is loaded, changed, written if it is still what was loaded, and
 * changed again if it is not.
 *
 * A caller never waits for the function of a later caller: if a function has not ended by the next turn of the event
 * loop, the changes before it are saved and answered while it runs [S3]. What was loaded may have expired, or another
 * program may have changed it. Then all changes based on it are applied again, to what is stored now. A save notices
 * this. If there is nothing to save, the state is loaded again before a change that arrived after the first load is
 * answered.
 */
import type { LoadedState, ReleaseDone, ReleaseReply, StateWrite } from "../backends/contract.ts";
import type { BackendCalls, Done } from "../calls/backend-calls.ts";
import { tooFewForLock } from "../calls/durability.ts";
import { ConflictError, quoted, UnavailableError } from "../errors.ts";
import { confirmHold } from "../leases/confirm-hold.ts";
import type { Hold } from "../leases/hold.ts";
import { lockLost, type HeldGrant } from "../ownership/grant.ts";
import { now } from "../timers.ts";
import { Batch } from "./batch.ts";
import type { Change } from "./change.ts";
import type { Applied } from "./changes/application.ts";
import { endOrGivenUp, isOverSoon } from "./limited-function.ts";
import { traceSave } from "./trace-save.ts";
import { writeUnderTicket } from "./write-under-ticket.ts";

/** The most times that changes are applied from the beginning. The lock makes repetitions rare. */
const maxTries = 16;

/** Supplies a run with its changes, and releases the lock after it. */
export interface RunHost {
  /** The next change that this run may serve; it is removed from the queue. */
  nextChange(batch: Batch): Change | undefined;
  /** Releases the lock, or keeps it for the next request; `write` is done in the same step. */
  release(write: StateWrite | undefined, durability?: Batch["durability"]): Promise<Done<ReleaseReply>>;
  /** Releases the lock unless the next request may have it at once. */
  releaseUnlessWanted(): Promise<void>;
  /** To be called if a function does not end at once: requests whose time is over do not wait for it. */
  readonly onSlow: (() => void) | undefined;
  /** What the next run may start from, if the lock is still held. */
  leaveKnownState(known: { readonly loaded: LoadedState; readonly at: number }): void;
}

export class BatchRun {
  readonly #calls: BackendCalls;
  readonly #hold: Hold;
  #host: RunHost | undefined;
  /** When the state that the batch assumes to be stored was known to be stored. */
  #knownAt = 0;

  constructor(calls: BackendCalls, hold: Hold) {
    this.#calls = calls;
    this.#hold = hold;
  }

  /** Settles every change that it takes. If the state cannot be loaded, it rejects and has taken none. */
  async serve(host: RunHost): Promise<void> {
    this.#host = host;
    const batch = new Batch(this.#hold, await this.#load());
    const error =
      (await this.#applyAll(batch, host)) ?? (await caught(() => this.#saveAndRelease(batch, host)));
    if (error !== undefined) batch.refuse(error);
  }

  /** Settles the change, which is made under a grant of its caller. Rejects if the state cannot be loaded. */
  async serveUnder(grant: HeldGrant, change: Change): Promise<void> {
    const batch = new Batch(this.#hold, await this.#load(), grant);
    const error = (await this.#apply(batch, change)) ?? (await caught(() => this.#saveIfNeeded(batch)));
    if (error !== undefined) batch.refuse(error);
  }

  /** For a change under a grant: if its function failed or changed nothing, it is answered at once. */
  async #saveIfNeeded(batch: Batch): Promise<Error | undefined> {
    if (batch.needsSave) return this.#saveAndHold(batch);
    batch.saved(null);
    return undefined;
  }

  async #applyAll(batch: Batch, host: RunHost): Promise<Error | undefined> {
    let change = host.nextChange(batch);
    for (; change !== undefined; change = change.follow() ?? host.nextChange(batch)) {
      const error = await this.#apply(batch, change);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /**
   * Applies one change, and again if the state it was applied to has been replaced. Returns the error if it could not
   * be kept.
   */
  async #apply(batch: Batch, change: Change): Promise<Error | undefined> {
    for (;;) {
      if (!batch.isLive) {
        const error = batch.lossError; // another client may hold the lock by now
        change.fail(error);
        return error;
      }
      const applied = batch.apply(change);
      if (applied.over !== undefined) {
        const hasEnded = endOrGivenUp(this.#calls.deadlines, applied);
        const error = await this.#answerOthers(batch, applied.over);
        if (!(await hasEnded)) return this.#leaveBehind(batch, applied);
        if (error !== undefined) {
          change.fail(error);
          return error;
        }
      }
      if (batch.take(applied)) return undefined;
    }
  }

  /** Its function goes on without the lock; the call is answered when it ends. Returns the answer. */
  #leaveBehind({ lossError }: Batch, applied: Applied): Error {
    const { keepAlive } = this.#calls;
    keepAlive.ref(); // [P1]
    void applied.over?.then(() => {
      keepAlive.unref();
      applied.change.fail(applied.failure === undefined ? lossError : applied.failure.error);
    });
    return lossError;
  }

  /** Neither changes before a slow function wait for it, nor requests whose waiting time is over. */
  async #answerOthers(batch: Batch, over: Promise<void>): Promise<Error | undefined> {
    const onSlow = this.#host?.onSlow;
    if ((batch.isEmpty && onSlow === undefined) || (await isOverSoon(over))) return undefined;
    onSlow?.();
    if (batch.isEmpty) return undefined;
    const error = await caught(() => this.#saveAndHold(batch));
    if (error !== undefined) batch.refuse(error);
    return error;
  }

  /** [S3] Saves what the batch changed and releases the lock, in one step. Returns the error, if any. */
  async #saveAndRelease(batch: Batch, host: RunHost): Promise<Error | undefined> {
    while (batch.isLive) {
      const { write, durability } = batch;
      if (write !== undefined) {
        this.#knownAt = now();
        const { reply, shortage } = await traceSave(batch, write, () => host.release(write, durability));
        if (shortage !== undefined) return shortage;
        if (isDone(reply)) return this.#saved(batch, host, reply);
        if (reply.status === "lost")
          return lockLost(this.#hold.id, batch.fence, "the server refused the save");
      } else if (await this.#isStillStored(batch)) return this.#unchanged(batch, host);
      const error = await this.#applyAgain(batch);
      if (error !== undefined) return error;
    }
    return batch.lossError;
  }

  /** The same without releasing the lock. */
  async #saveAndHold(batch: Batch): Promise<Error | undefined> {
    while (batch.isLive) {
      const { write, durability, fence } = batch;
      if (write !== undefined) {
        this.#knownAt = now();
        const guard = { calls: this.#calls, hold: this.#hold, fence, durability };
        const reply = await traceSave(batch, write, () => batch.track(writeUnderTicket(guard, write)));
        if (reply.status === "saved" || reply.status === "deleted") {
          batch.saved(reply.status === "saved" ? reply.revision : null);
          return undefined;
        }
      } else if (await this.#isStillStored(batch)) return this.#unchangedAndHeld(batch);
      const error = await this.#applyAgain(batch);
      if (error !== undefined) return error;
    }
    return batch.lossError;
  }

  /**
   * For a batch with nothing to save: a save would have noticed. Changes that arrived before the load need no second
   * look.
   */
  async #isStillStored(batch: Batch): Promise<boolean> {
    if (batch.newestAt <= this.#knownAt) return true;
    const loaded = await this.#load();
    if (revisionOf(loaded) === revisionOf(batch.stored)) return true;
    this.#hold.leaveKnownState({ loaded, at: this.#knownAt }); // the changes are applied again, to this
    return false;
  }

  /** What was loaded is no longer stored. */
  async #applyAgain(batch: Batch): Promise<Error | undefined> {
    if (batch.starts === maxTries - 1) return tooManyConflicts(this.#hold.id);
    batch.restart(await this.#load());
    for (let change = batch.takeAgain(); change !== undefined; change = batch.takeAgain()) {
      const error =
        (await this.#apply(batch, change)) ??
        (await this.#applyFollowing(batch, change)) ??
        (await this.#saveIfClosed(batch));
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** What a change found at first may be gone: then one may follow it after all. */
  async #applyFollowing(batch: Batch, change: Change): Promise<Error | undefined> {
    const next = change.follow();
    return next && this.#apply(batch, next);
  }

  /** The caller of a save learns its revision, so it is stored before the next change is applied on top of it. */
  async #saveIfClosed(batch: Batch): Promise<Error | undefined> {
    if (!batch.closed || !batch.hasAgain) return undefined;
    const { mayEndAtOnce } = batch;
    const error = await this.#saveAndHold(batch);
    if (error === undefined && mayEndAtOnce) batch.startFrom(await this.#load());
    return error;
  }

  #saved(batch: Batch, host: RunHost, reply: ReleaseDone): Error | undefined {
    if (reply.failed !== undefined) return outOfMemory(this.#calls.backend.name, this.#hold.id);
    const { mayEndAtOnce } = batch;
    batch.saved(reply.revision);
    if (!mayEndAtOnce) this.#leave(batch, host);
    return undefined;
  }

  /**
   * There is nothing to write. A caller with an answer no longer holds the lock, so the answer comes after the release.
   */
  async #unchanged(batch: Batch, host: RunHost): Promise<Error | undefined> {
    if (batch.durability !== undefined) {
      // The unchanged state may not have reached the replicas yet; those that have the later release have it, too.
      const { reply, shortage } = await host.release(undefined, batch.durability);
      if (shortage !== undefined) return shortage;
      if (!isDone(reply)) return lockLost(this.#hold.id, batch.fence, "it was lost before its release");
    } else await host.releaseUnlessWanted();
    this.#leave(batch, host);
    batch.saved(null);
    return undefined;
  }

  /** The next run continues from there, if the lock is still held. */
  #leave(batch: Batch, host: RunHost): void {
    host.leaveKnownState({ loaded: batch.stored, at: this.#knownAt });
  }

  async #unchangedAndHeld(batch: Batch): Promise<Error | undefined> {
    const { durability } = batch;
    if (durability !== undefined) {
      const hold = this.#hold;
      const replicas = await confirmHold(this.#calls, hold, durability);
      if (!batch.isLive) return batch.lossError;
      if (replicas < durability.replicas) return tooFewForLock(hold.id, replicas, durability);
    }
    batch.saved(null);
    return undefined;
  }

  /** Returns the state that came with the grant, if it did. */
  async #load(): Promise<LoadedState> {
    const { id } = this.#hold;
    const known = this.#hold.takeKnownState();
    this.#knownAt = known === undefined ? now() : known.at;
    if (known !== undefined) return known.loaded;
    const { backend } = this.#calls;
    return this.#calls.read({ doing: "Loading the state", id }, () =>
      backend.loadState(id, { expiry: false }),
    );
  }
}

/** An error that a step throws is the answer to all changes in it. */
async function caught(step: () => Promise<Error | undefined>): Promise<Error | undefined> {
  try {
    return await step();
  } catch (error) {
    return (error as Error | null) ?? new Error("the backend failed without a reason");
  }
}

/** `null`: absent; text if it cannot be read. */
function revisionOf(loaded: LoadedState): number | string | null {
  if (loaded === null) return null;
  return "unreadable" in loaded ? loaded.unreadable : loaded.revision;
}

function isDone(reply: ReleaseReply): reply is ReleaseDone {
  return reply.status === "released" || reply.status === "kept";
}

function tooManyConflicts(id: string): ConflictError {
  return new ConflictError(
    `The state ${quoted(id)} changed ${maxTries} times while it was being updated under its lock: ` +
      `something writes to it without the lock, or its ttlMs is shorter than the update takes.`,
  );
}

function outOfMemory(name: string, id: string): UnavailableError {
  const text = `${name} is out of memory: the state ${quoted(id)} was not saved. Free memory on the server, then retry.`;
  return new UnavailableError(text, { code: "OUT_OF_MEMORY" });
}
