/**
 * A run of changes under one hold: loaded once, applied one after the other, saved together. The only place where a state is
 * loaded, changed, written if it is still what was loaded, and changed again if not.
 *
 * A caller never waits for the code of one who came later: if the function of a change has not ended by the next turn of the
 * event loop, those before it are saved while it runs, and answered [S3]. What was loaded may have expired or been
 * changed behind the protocol's back; then all that built on it are applied again, to what is there now. A save notices
 * that; where there is nothing to save, a change that came after the load is not answered before the state was looked at again.
 */
import type { LoadedState, ReleaseDone, ReleaseReply, StateWrite } from "../backends/contract.ts";
import type { BackendCalls, Done } from "../calls/backend-calls.ts";
import { tooFewForLock } from "../calls/durability.ts";
import { ConflictError, UnavailableError } from "../errors.ts";
import { confirmHold } from "../leases/await-replicas.ts";
import type { Hold } from "../leases/hold.ts";
import { lockLost, type HeldGrant } from "../ownership/grant.ts";
import { nextTurn, now } from "../timers.ts";
import { Batch } from "./batch.ts";
import type { Change } from "./change.ts";
import { writeUnderTicket } from "./write-under-ticket.ts";

/** An update whose state changes under it is done again so often; the lock makes that rare. */
const maxTries = 16;

/** Who hands a run its changes, and releases the lock after it. */
export interface RunHost {
  /** The next change that this run may serve; it has left the queue. */
  nextChange(batch: Batch): Change | undefined;
  /** Gives the lock back, or keeps it for the next request; `write` is done in the same step. */
  release(write: StateWrite | undefined, durability?: Batch["durability"]): Promise<Done<ReleaseReply>>;
  /** Gives the lock back unless the next request may have it at once. */
  releaseUnlessWanted(): Promise<void>;
  /** What the next run may start from, if the lock is still ours. */
  leaveKnownState(known: { readonly loaded: LoadedState; readonly at: number }): void;
}

export class BatchRun {
  readonly #calls: BackendCalls;
  readonly #hold: Hold;
  /** What the batch takes for stored was stored then. */
  #knownAt = 0;

  constructor(calls: BackendCalls, hold: Hold) {
    this.#calls = calls;
    this.#hold = hold;
  }

  /** Settles every change that it takes. Rejects, with none taken, when the state cannot be loaded. */
  async serve(host: RunHost): Promise<void> {
    const batch = new Batch(this.#hold, await this.#load());
    const error =
      (await this.#applyAll(batch, host)) ?? (await caught(() => this.#saveAndRelease(batch, host)));
    if (error !== undefined) batch.refuse(error);
  }

  /** Settles the change, which is made under a grant that its caller holds. Rejects when the state cannot be loaded. */
  async serveUnder(grant: HeldGrant, change: Change): Promise<void> {
    const batch = new Batch(this.#hold, await this.#load(), grant);
    const error = (await this.#apply(batch, change)) ?? (await caught(() => this.#saveIfNeeded(batch)));
    if (error !== undefined) batch.refuse(error);
  }

  /** Of a change under a grant: a function that failed, or changed nothing, is answered at once. */
  async #saveIfNeeded(batch: Batch): Promise<Error | undefined> {
    if (batch.needsSave) return this.#saveAndHold(batch);
    batch.saved(null);
    return undefined;
  }

  async #applyAll(batch: Batch, host: RunHost): Promise<Error | undefined> {
    let change = host.nextChange(batch);
    for (; change !== undefined; change = host.nextChange(batch)) {
      const error = await this.#apply(batch, change);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** Applies one change, and again if what it was applied to did not come to be. Returns why it could not be kept. */
  async #apply(batch: Batch, change: Change): Promise<Error | undefined> {
    for (;;) {
      if (!batch.isLive) {
        const error = batch.lossError; // another may hold the lock by now
        change.fail(error);
        return error;
      }
      const applied = batch.apply(change);
      if (applied.over !== undefined) {
        const error = await this.#answerOthers(batch, applied.over);
        await applied.over;
        if (error !== undefined) {
          change.fail(error);
          return error;
        }
      }
      if (batch.take(applied)) return undefined;
    }
  }

  /** Those before a function that takes its time do not wait for it. */
  async #answerOthers(batch: Batch, over: Promise<void>): Promise<Error | undefined> {
    if (batch.isEmpty || (await isOverSoon(over))) return undefined;
    const error = await caught(() => this.#saveAndHold(batch));
    if (error !== undefined) batch.refuse(error);
    return error;
  }

  /** [S3] Saves what the batch changed and gives the lock up, in one step; returns what went wrong, if anything did. */
  async #saveAndRelease(batch: Batch, host: RunHost): Promise<Error | undefined> {
    while (batch.isLive) {
      const { write, durability } = batch;
      if (write !== undefined) {
        this.#knownAt = now();
        const { reply, shortage } = await host.release(write, durability);
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

  /** The same without giving the lock up. */
  async #saveAndHold(batch: Batch): Promise<Error | undefined> {
    while (batch.isLive) {
      const { write, durability, fence } = batch;
      if (write !== undefined) {
        this.#knownAt = now();
        const guard = { calls: this.#calls, hold: this.#hold, fence, durability };
        const reply = await batch.track(writeUnderTicket(guard, write));
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

  /** Nothing is to be saved, which would have noticed. Those who came before the load need no second look. */
  async #isStillStored(batch: Batch): Promise<boolean> {
    if (batch.newestAt <= this.#knownAt) return true;
    const loaded = await this.#load();
    if (revisionOf(loaded) === revisionOf(batch.stored)) return true;
    this.#hold.leaveKnownState({ loaded, at: this.#knownAt }); // they are applied to that, again
    return false;
  }

  /** What was loaded is no longer there. */
  async #applyAgain(batch: Batch): Promise<Error | undefined> {
    if (batch.starts === maxTries - 1) return tooManyConflicts(this.#hold.id);
    batch.restart(await this.#load());
    for (let change = batch.takeAgain(); change !== undefined; change = batch.takeAgain()) {
      const error = (await this.#apply(batch, change)) ?? (await this.#saveIfClosed(batch));
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** The caller of a save learns its revision: the next is not applied on top of it before that is stored. */
  async #saveIfClosed(batch: Batch): Promise<Error | undefined> {
    return batch.closed && batch.hasAgain ? this.#saveAndHold(batch) : undefined;
  }

  #saved(batch: Batch, host: RunHost, reply: ReleaseDone): Error | undefined {
    if (reply.failed !== undefined) return outOfMemory(this.#calls.backend.name, this.#hold.id);
    batch.saved(reply.revision);
    this.#leave(batch, host);
    return undefined;
  }

  /** Nothing to write. A caller with an answer no longer holds the lock, so it comes after the release. */
  async #unchanged(batch: Batch, host: RunHost): Promise<Error | undefined> {
    if (batch.durability !== undefined) {
      // What is there already may not have reached the replicas yet; the release comes after it.
      const { reply, shortage } = await host.release(undefined, batch.durability);
      if (shortage !== undefined) return shortage;
      if (!isDone(reply)) return lockLost(this.#hold.id, batch.fence, "it was lost before its release");
    } else await host.releaseUnlessWanted();
    this.#leave(batch, host);
    batch.saved(null);
    return undefined;
  }

  /** The next run goes on from there, if the lock is still ours. */
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

  /** Taken from the grant where it brought the state along. */
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

/** What a step throws is the answer of all who took part in it. */
async function caught(step: () => Promise<Error | undefined>): Promise<Error | undefined> {
  try {
    return await step();
  } catch (error) {
    return (error as Error | null) ?? new Error("the backend failed without a reason");
  }
}

/** Is it over before the event loop turns? Then it waits for nothing but what is ready. */
function isOverSoon(over: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    void over.then(() => resolve(true));
    nextTurn(() => resolve(false));
  });
}

/** `null`: absent; an error's text where it cannot be read. */
function revisionOf(loaded: LoadedState): number | string | null {
  if (loaded === null) return null;
  return "unreadable" in loaded ? loaded.unreadable : loaded.revision;
}

function isDone(reply: ReleaseReply): reply is ReleaseDone {
  return reply.status === "released" || reply.status === "kept";
}

function tooManyConflicts(id: string): ConflictError {
  return new ConflictError(
    `The state ${JSON.stringify(id)} changed ${maxTries} times while it was being updated under its lock: ` +
      `something writes to it without the lock, or its ttlMs is shorter than the update takes.`,
  );
}

function outOfMemory(name: string, id: string): UnavailableError {
  const text = `${name} is out of memory: the state ${JSON.stringify(id)} was not saved. Free memory on the server, then retry.`;
  return new UnavailableError(text, { code: "OUT_OF_MEMORY" });
}
