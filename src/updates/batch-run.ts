/**
 * A run of state jobs under one turn: loaded once, applied one after the other, saved together with the release.
 *
 * A caller never waits for the code of one who came later: if the function of a job has not ended by the next turn of the
 * event loop, those before it are saved while it runs, and answered [S3]. What was loaded may have expired or been
 * changed behind the protocol's back; then all that built on it are applied again, to what is there now. A save notices
 * that; where there is nothing to save, who came after the load is not answered by it before it was looked at again.
 *
 * Whom to serve next, and what a release does, is the business of dispatcher.ts; what a job makes of a state, of change.ts.
 */
import type { LoadedState, ReleaseDone, ReleaseReply, StateWrite } from "../backends/contract.ts";
import { awaitLock, tooFewForLock } from "../calls/durability.ts";
import { ConflictError, UnavailableError } from "../errors.ts";
import { nextTurn, now } from "../timers.ts";
import { Batch } from "./batch.ts";
import { lockLost } from "../ownership/grant.ts";
import type { StateJob } from "../scheduling/request.ts";
import type { Room } from "../leases/room.ts";
import type { Turn } from "../leases/turn.ts";
import { writeUnder } from "./guarded-write.ts";

/** An update whose state changes under it is done again so often; the lock makes that rare. */
export const maxTries = 16;

/** What a run needs of whoever serves the turn. */
export interface RunHost {
  /** The next job that this run may serve; it has left the line. */
  takeJob(batch: Batch): StateJob | undefined;
  /** Gives the lock back, or keeps it for the next of us; what is to be written, in the same step. */
  release(write: StateWrite | undefined, durability?: Batch["durability"]): Promise<ReleaseReply>;
  /** Gives the lock back unless the next of us may have it at once. */
  releaseUnlessWanted(): Promise<void>;
}

export class StateRun {
  readonly #room: Room;
  readonly #turn: Turn;
  readonly #host: RunHost;
  /** What the batch takes for stored was stored then. */
  #knownAt = 0;

  constructor(room: Room, turn: Turn, host: RunHost) {
    this.#room = room;
    this.#turn = turn;
    this.#host = host;
  }

  /** Settles every job that it takes. Rejects, with none taken, when the state cannot be loaded. */
  async serve(): Promise<void> {
    const batch = new Batch(this.#room.owner, this.#turn, await this.#load());
    const error = (await this.#applyAll(batch)) ?? (await this.#carried(() => this.#saveAndRelease(batch)));
    if (error !== undefined) batch.refuse(error);
  }

  async #applyAll(batch: Batch): Promise<Error | undefined> {
    for (let job = this.#host.takeJob(batch); job !== undefined; job = this.#host.takeJob(batch)) {
      const error = await this.#apply(batch, job);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** Applies one job, and again if what it was applied to did not come to be. Answers why it could not be kept. */
  async #apply(batch: Batch, job: StateJob): Promise<Error | undefined> {
    for (;;) {
      if (!this.#turn.live) {
        const error = this.#lost(batch); // another may be inside by now
        job.fail(error);
        return error;
      }
      const applied = batch.apply(job);
      if (applied.over !== undefined) {
        const error = await this.#answerOthers(batch, applied.over);
        await applied.over;
        if (error !== undefined) {
          job.fail(error);
          return error;
        }
      }
      if (batch.take(applied)) return undefined;
    }
  }

  /** Those before a function that takes its time do not wait for it. */
  async #answerOthers(batch: Batch, over: Promise<void>): Promise<Error | undefined> {
    if (batch.isEmpty || (await isOverSoon(over))) return undefined;
    const error = await this.#carried(() => this.#saveAndHold(batch));
    if (error !== undefined) batch.refuse(error);
    return error;
  }

  /** [S3] Saves what the batch changed and gives the lock up, in one step; answers what went wrong, if anything did. */
  async #saveAndRelease(batch: Batch): Promise<Error | undefined> {
    const { id } = this.#turn;
    while (this.#turn.live) {
      if (batch.write !== undefined) {
        this.#knownAt = now();
        const reply = await this.#host.release(batch.write, batch.durability);
        if (isDone(reply)) return this.#saved(batch, reply);
        if (reply.status === "lost") return lockLost(id, batch.fence, "the server refused the save");
      } else if (await this.#isStillStored(batch)) return this.#unchanged(batch);
      const error = await this.#again(batch);
      if (error !== undefined) return error;
    }
    return this.#lost(batch);
  }

  /** The same without giving the lock up. */
  async #saveAndHold(batch: Batch): Promise<Error | undefined> {
    while (this.#turn.live) {
      const { write, durability, fence } = batch;
      if (write !== undefined) {
        this.#knownAt = now();
        const reply = await writeUnder({ room: this.#room, turn: this.#turn, fence, durability }, write);
        if (reply.status === "saved" || reply.status === "deleted") {
          batch.saved(reply.status === "saved" ? reply.revision : null);
          return undefined;
        }
      } else if (await this.#isStillStored(batch)) return this.#unchangedAndHeld(batch);
      const error = await this.#again(batch);
      if (error !== undefined) return error;
    }
    return this.#lost(batch);
  }

  /** Nothing is to be saved, which would have noticed. Those who came before the load need no second look. */
  async #isStillStored(batch: Batch): Promise<boolean> {
    if (batch.newestAt <= this.#knownAt) return true;
    const loaded = await this.#load();
    if (revisionOf(loaded) === revisionOf(batch.stored)) return true;
    this.#turn.loaded = loaded; // they are applied to that, again
    this.#turn.loadedAt = this.#knownAt;
    return false;
  }

  /** What was loaded is not there any more. */
  async #again(batch: Batch): Promise<Error | undefined> {
    if (batch.starts === maxTries - 1) return tooManyConflicts(this.#turn.id);
    batch.restart(await this.#load());
    for (let job = batch.takeAgain(); job !== undefined; job = batch.takeAgain()) {
      const error = (await this.#apply(batch, job)) ?? (await this.#saveIfClosed(batch));
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** The caller of a save learns its revision: the next is not applied on top of it before that is stored. */
  async #saveIfClosed(batch: Batch): Promise<Error | undefined> {
    return batch.closed && batch.hasAgain ? this.#saveAndHold(batch) : undefined;
  }

  /** Why nothing of the batch is saved any more. */
  #lost(batch: Batch): Error {
    const { id, lostFor = "its lease ended before the save" } = this.#turn;
    return lockLost(id, batch.fence, typeof lostFor === "string" ? lostFor : sentence(lostFor.message));
  }

  #saved(batch: Batch, reply: ReleaseDone): Error | undefined {
    const { id } = this.#turn;
    if (reply.failed !== undefined) return outOfMemory(this.#room.conversations.backend.name, id);
    batch.saved(reply.revision);
    if (reply.status === "kept") this.#leave(batch);
    return undefined;
  }

  /** Nothing to write. Whoever has an answer does not hold the lock any more, so it comes after the release. */
  async #unchanged(batch: Batch): Promise<Error | undefined> {
    if (batch.durability !== undefined) {
      // What is there already may not have reached the replicas yet; the release comes after it.
      const reply = await this.#host.release(undefined, batch.durability);
      if (!isDone(reply)) return lockLost(this.#turn.id, batch.fence, "it was lost before its release");
    } else await this.#host.releaseUnlessWanted();
    if (this.#turn.live) this.#leave(batch);
    batch.saved(null);
    return undefined;
  }

  /** The next run of this turn goes on from there. */
  #leave(batch: Batch): void {
    this.#turn.loaded = batch.stored;
    this.#turn.loadedAt = this.#knownAt;
  }

  async #unchangedAndHeld(batch: Batch): Promise<Error | undefined> {
    const { durability } = batch;
    if (durability !== undefined) {
      const { id } = this.#turn;
      const replicas = await awaitLock(this.#room.conversations, this.#turn, durability);
      if (replicas === "gone") {
        this.#turn.lose("the server does not know it");
        return lockLost(id, batch.fence, "the server does not know it");
      }
      if (replicas < durability.replicas) return tooFewForLock(id, replicas, durability);
    }
    batch.saved(null);
    return undefined;
  }

  /** Taken from the grant where it brought the state along. */
  async #load(): Promise<LoadedState> {
    const { id, loaded, loadedAt } = this.#turn;
    this.#turn.loaded = undefined;
    this.#knownAt = loaded === undefined ? now() : loadedAt;
    if (loaded !== undefined) return loaded;
    const { conversations } = this.#room;
    const what = { doing: "Loading the state", id };
    return conversations.read(what, () => conversations.backend.loadState(id, { expiry: false }));
  }

  /** What a step throws is the answer of all who took part in it. */
  async #carried(step: () => Promise<Error | undefined>): Promise<Error | undefined> {
    try {
      return await step();
    } catch (error) {
      return (error as Error | null) ?? new Error("the backend failed without a reason");
    }
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

/** As words within a sentence: "The store was closed." → "the store was closed". */
function sentence(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, "");
}

export function tooManyConflicts(id: string): ConflictError {
  return new ConflictError(
    `The state ${JSON.stringify(id)} changed ${maxTries} times while it was being updated under its lock: ` +
      `somebody writes it without the lock, or its ttlMs is shorter than the update takes.`,
  );
}

function outOfMemory(name: string, id: string): UnavailableError {
  const text = `${name} is out of memory: the state ${JSON.stringify(id)} was not saved. Make room there, then try again.`;
  return new UnavailableError(text, { code: "OUT_OF_MEMORY" });
}
