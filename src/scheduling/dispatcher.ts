/**
 * What one turn does with the lock, from getting it to passing it on.
 *
 * It serves the jobs in line one after the other: a grant job has the lock until it releases; a run of state jobs is
 * applied and saved together (batch-run.ts). At the turn's bounds the lock is passed on if others wait for it, in the step
 * that saves. It ends when the turn is over or lost. Asking for the lock is the cohort's business.
 */
import type { Durability, Receipt, ReleaseDone, ReleaseReply, StateWrite } from "../backends/contract.ts";
import { diagnostics, type AcquireEvent, type ReleaseEvent, type WarningEvent } from "../diagnostics.ts";
import { awaitLock, tellDurably, tooFewForLock } from "../calls/durability.ts";
import { HoldfastError } from "../errors.ts";
import { now, pause, soon } from "../timers.ts";
import type { Batch } from "../updates/batch.ts";
import { HeldGrant, type Lender } from "../ownership/grant.ts";
import { GrantJob, StateJob, type Job } from "./request.ts";
import type { Line } from "./local-queue.ts";
import type { Room } from "../leases/room.ts";
import { StateRun, type RunHost } from "../updates/batch-run.ts";
import type { Turn } from "../leases/turn.ts";

/** [L2] A turn is bounded: so many jobs or so long while others wait, and more generously while nobody does. */
const wantedBounds = { jobs: 16, ms: 10 };
const freeBounds = { jobs: 1_024, ms: 100 };

/** How long a change of servers is given to reach all connections. */
const elsewhereMs = 100;

/** Whose turns are served. */
export interface ServingOwner {
  /** The turn is over or lost, and settled or being cancelled. */
  onServed(): void;
}

export class Serving implements Lender {
  readonly #line: Line;
  readonly #room: Room;
  readonly #owner: ServingOwner;
  #turn!: Turn; // from begin() on, before anything else
  #lent: HeldGrant | undefined;
  /** How many jobs the turn had served when its run of state jobs began. */
  #servedBefore = 0;

  constructor(line: Line, room: Room, owner: ServingOwner) {
    this.#line = line;
    this.#room = room;
    this.#owner = owner;
  }

  /** The turn is ours from now on, until the owner is told. */
  begin(turn: Turn): void {
    this.#turn = turn;
    this.#room.serve();
    this.#next();
  }

  /** Called whenever nothing is under way: what the turn does next. */
  #next(): void {
    const at = now();
    const job = this.#line.head;
    if (!this.#turn.liveAt(at)) this.#end();
    else if (!this.#mayGoOn(at)) void this.#finish();
    else if (job instanceof GrantJob) this.#serve(job);
    else void this.#apply();
  }

  #end(): void {
    this.#line.unblock();
    this.#turn.loaded = undefined; // it may be large, and an idle cohort keeps its last turn
    if (this.#turn.state === "lost") this.#room.abandonTurn(this.#turn);
    this.#room.served();
    this.#owner.onServed();
  }

  /** Nobody here wants it any more, or this turn has had its share. */
  async #finish(): Promise<void> {
    await this.#giveUp();
    this.#next(); // the turn is over or lost
  }

  async #giveUp(): Promise<void> {
    await this.#release(undefined).catch((error: unknown) => warnOf(error, this.#turn.id)); // lost then, and cancelled
  }

  /** Once the replicas have this grant they have all of the turn's: its fences were reserved with it. */
  #serve(job: GrantJob): void {
    const { durability } = job;
    if (durability === undefined || this.#turn.replicas >= durability.replicas) this.#lend(job);
    else void this.#awaitReplicas(durability);
  }

  /** The job stays in line meanwhile: it may give up, and whoever is its head then is served. */
  async #awaitReplicas(durability: Durability): Promise<void> {
    const turn = this.#turn;
    const from = now();
    // Those who want as much, and were here all the time, would only wait for the same.
    const same = (job: Job): boolean =>
      job instanceof GrantJob &&
      job.arrivedAt <= from &&
      (job.durability?.replicas ?? 0) >= durability.replicas;
    this.#line.unblock(); // an answer is still to come that may serve those whose time is over
    try {
      const replicas = await awaitLock(this.#room.conversations, turn, durability);
      if (replicas === "gone") {
        // Another server answers by now, or soon will on all connections: whoever has time left asks anew.
        this.#line.rejectAll(tooFewForLock(turn.id, 0, durability), (job) => same(job) && job.impatient);
        await pause(elsewhereMs); // not in a busy loop
        turn.lose("the server does not know it");
      } else if (replicas >= durability.replicas) turn.servesFrom(now(), replicas);
      else {
        const jobs = this.#line.take(same);
        await this.#giveUp(); // first: whoever is told that it has no lock may look
        for (const job of jobs) job.fail(tooFewForLock(turn.id, replicas, durability));
      }
    } catch (error) {
      this.#line.rejectAll(error, same);
    } finally {
      this.#next();
    }
  }

  /** The caller has the lock until it releases or loses it: one of the two is told here. */
  #lend(job: GrantJob): void {
    const turn = this.#turn;
    this.#line.leave(job);
    turn.served += 1;
    turn.loaded = undefined; // whoever has the lock may change the state
    const grant = new HeldGrant({ turn, fence: turn.takeFence(), lender: this });
    this.#lent = grant;
    publishAcquired(job, grant);
    job.serve(grant);
    this.#line.block();
  }

  /** The next of us gets the lock at once, or the backend gets it back; answers whether it was still held. */
  onRelease(grant: HeldGrant): Promise<boolean> {
    if (grant !== this.#lent) return Promise.resolve(false); // [L6] what is lost cannot be released
    this.#lent = undefined;
    const held = this.#turn.state === "held";
    if (held && !this.#mayGoOn(now())) return this.#handBack(grant);
    if (held) publishReleased(grant);
    else this.#line.unblock();
    // Not at once: whoever released it goes on first, as it would have if the backend had been asked.
    soon(() => this.#next());
    return Promise.resolve(held);
  }

  onLose(grant: HeldGrant): void {
    if (grant !== this.#lent) return;
    this.#lent = undefined;
    this.#next();
  }

  async #handBack(grant: HeldGrant): Promise<boolean> {
    try {
      const { status } = await this.#release(undefined);
      const held = status === "released" || status === "kept";
      if (held) publishReleased(grant);
      return held;
    } finally {
      this.#next();
    }
  }

  /** What a run of state jobs may ask for. */
  readonly #runHost: RunHost = {
    takeJob: (batch) => this.#takeJob(batch),
    release: (write, durability) => this.#release(write, durability),
    releaseUnlessWanted: async () => {
      if (!this.#mayGoOn(now())) await this.#giveUp();
    },
  };

  async #apply(): Promise<void> {
    const { keepAlive } = this.#room.conversations;
    this.#line.blockNewcomers();
    keepAlive.hold(); // [P1] jobs that are being served have left the line
    this.#servedBefore = this.#turn.served;
    try {
      await new StateRun(this.#room, this.#turn, this.#runHost).serve();
    } catch (error) {
      this.#line.rejectAll(error, (job) => job instanceof StateJob); // what cannot be loaded cannot be updated
    } finally {
      keepAlive.drop();
    }
    this.#next();
  }

  /** The next job of a run that began when the turn had served so many. */
  #takeJob(batch: Batch): StateJob | undefined {
    const turn = this.#turn;
    const job = this.#line.head;
    if (!(job instanceof StateJob) || job.leaseMs !== turn.leaseMs || batch.closed) return undefined;
    // One is always served: to load the state may have taken longer than the turn may last.
    if (turn.served > this.#servedBefore && !withinBounds(turn)) return undefined;
    if (turn.tainted || !batch.takes(job) || !turn.live) return undefined; // those who stand in line yet can have another turn
    this.#line.leave(job);
    turn.served += 1;
    return job;
  }

  /** Is there a next of us, who may have the lock without asking the backend? */
  #mayGoOn(at: number): boolean {
    const turn = this.#turn;
    if (this.#line.head?.leaseMs !== turn.leaseMs) return false;
    if (!turn.liveAt(at) || turn.tainted || turn.fencesLeft === 0 || !withinBounds(turn, at)) return false;
    // Near its end a lease is renewed before the next job gets the lock. Not before the first one: where answers
    // take that long, a renewed lease is near its end as well, and nobody would ever be served.
    return turn.served === 0 || turn.until - at > turn.grantedMs / 3;
  }

  /**
   * Gives the lock back, or keeps it for the next of us if nobody else waits for it: one step on the backend. While
   * replicas are waited for nobody should be kept waiting for the lock, so that it is not kept then.
   */
  async #release(write: StateWrite | undefined, durability?: Durability): Promise<ReleaseReply> {
    const turn = this.#turn;
    const { conversations } = this.#room;
    const { backend } = conversations;
    const more = durability === undefined && this.#line.head?.leaseMs === turn.leaseMs && !turn.tainted;
    const keep = more ? { leaseMs: turn.leaseMs, fences: this.#line.fencesWanted } : undefined;
    let sentAt = 0;
    if (!turn.live) return { status: "lost" }; // the clock may have moved since the caller looked
    this.#room.unwatch(turn); // [L6] before the release is sent, or a late renewal would bring the lock back
    turn.become("releasing");
    try {
      const release = (receipt: Receipt, at: number): Promise<ReleaseReply> => {
        sentAt = at;
        return backend.releaseLock(turn.id, turn.ticket, { write, keep }, receipt);
      };
      const what = { doing: write === undefined ? "Releasing the lock" : "Saving the state", id: turn.id };
      const { slot } = turn;
      if (durability !== undefined) {
        const onReply = (reply: ReleaseReply): void => this.#settle(reply, sentAt);
        return await tellDurably(conversations, { ...what, durability, slot, onReply }, release);
      }
      const reply = await conversations.tell(what, release, slot);
      this.#settle(reply, sentAt);
      return reply;
    } catch (error) {
      turn.lose("nobody knows what became of its release");
      throw error;
    }
  }

  #settle(reply: ReleaseReply, sentAt: number): void {
    const turn = this.#turn;
    if (reply.status === "released" || reply.status === "lost") this.#line.unblock(); // whoever comes now asks anew
    if (reply.status === "released") {
      turn.become("over");
      this.#room.endTurn(turn);
      return;
    }
    if (reply.status === "lost") return turn.lose("the server says that it is no longer the holder");
    turn.slot.n += 1; // the next operation of this turn is another one [S5]
    if (turn.state === "lost") return; // the store was closed meanwhile: it is cancelled next
    if (reply.status === "kept") this.#keep(reply, sentAt);
    else turn.stillHeld();
    if (turn.live) this.#room.watch(turn);
  }

  /** What was saved with it is saved, whether or not the grant that came with it can be used [S5]. */
  #keep(reply: ReleaseDone, sentAt: number): void {
    try {
      this.#turn.keep(reply, sentAt, this.#room.assumesWanted);
    } catch (error) {
      this.#turn.lose(error as Error);
    }
  }
}

/** Nobody waits for this release. What a backend failed at is told elsewhere; anything else deserves a person's attention. */
function warnOf(error: unknown, id: string): void {
  if (error instanceof HoldfastError || !diagnostics.warning.hasSubscribers) return;
  const message = `Releasing the lock ${JSON.stringify(id)} failed: ${String(error)}`;
  diagnostics.warning.publish({ cause: "release-failed", message } satisfies WarningEvent);
}

function withinBounds(turn: Turn, at: number = now()): boolean {
  const bounds = turn.wanted ? wantedBounds : freeBounds;
  return turn.served < bounds.jobs && at - turn.heldSince < bounds.ms;
}

function publishAcquired(job: GrantJob, grant: HeldGrant): void {
  if (!diagnostics.acquire.hasSubscribers) return;
  const event: AcquireEvent = { id: grant.id, waitedMs: now() - job.arrivedAt, fence: grant.fence };
  diagnostics.acquire.publish(event);
}

function publishReleased(grant: HeldGrant): void {
  if (!diagnostics.release.hasSubscribers) return;
  diagnostics.release.publish({ id: grant.id, fence: grant.fence } satisfies ReleaseEvent);
}
