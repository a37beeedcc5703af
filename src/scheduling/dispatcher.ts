/**
 * Lends a granted lock to one request after another, until it is released or lost.
 *
 * A caller that wants a grant has the lock until it releases the grant. A run of changes is applied and saved together.
 * Once the process has had its share and other processes wait, the lock is passed on in the step that saves.
 */
import type { Durability, ReleaseReply, StateWrite } from "../backends/contract.ts";
import type { Done } from "../calls/backend-calls.ts";
import type { InFlight } from "../calls/in-flight-counter.ts";
import type { Hold } from "../leases/hold.ts";
import { releaseHold } from "../leases/release-hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { HeldGrant, type Lender } from "../ownership/grant.ts";
import { limitHold } from "../ownership/hold-limit.ts";
import type { JoinedRelease } from "../ownership/lender.ts";
import { now, soon } from "../timers.ts";
import type { Batch } from "../updates/batch.ts";
import { BatchRun, type RunHost } from "../updates/batch-run.ts";
import type { Change } from "../updates/change.ts";
import { awaitReplicas } from "./await-replicas.ts";
import { publishAcquired, publishReleased, warnOfRelease } from "./grant-events.ts";
import { isWithinBounds } from "./hold-bounds.ts";
import type { LocalQueue } from "./local-queue.ts";
import { ChangeRequest, GrantRequest, suits, type Request } from "./request.ts";

export interface DispatcherOptions {
  readonly tickets: TicketRegistry;
  /** Counts the locks that are in use. */
  readonly serving: InFlight;
  /** The lock was released or lost, and its ticket is settled or being cancelled. */
  readonly onServed: () => void;
}

export class Dispatcher implements Lender {
  readonly #queue: LocalQueue;
  readonly #tickets: TicketRegistry;
  readonly #serving: InFlight;
  readonly #onServed: () => void;
  #hold!: Hold; // set by begin(), before anything else runs
  /** The grant that a caller has now. */
  #lent: HeldGrant | undefined;
  /** Created on first use: most locks guard no state. */
  #host: RunHost | undefined;
  /** The number of requests the hold had served when its run of changes began. */
  #servedBefore = 0;

  constructor(queue: LocalQueue, { tickets, serving, onServed }: DispatcherOptions) {
    this.#queue = queue;
    this.#tickets = tickets;
    this.#serving = serving;
    this.#onServed = onServed;
  }

  /** Starts to lend this hold; `onServed` is called at the end. */
  begin(hold: Hold): void {
    this.#hold = hold;
    this.#serving.begin();
    this.#serveNext(hold.since);
  }

  /** The hold that a caller of this process has now, if there is one: the queue waits for it. */
  get lentHold(): Hold | undefined {
    const hold = this.#hold as Hold | undefined; // not set before the first begin()
    return hold?.state === "held" ? hold : undefined;
  }

  /** A request has joined the queue: it waits until the lock is free for it. */
  arrived(): void {
    if (this.othersWait()) this.#lent?.mayBeWanted();
  }

  othersWait(): boolean {
    return this.#queue.head !== undefined;
  }

  /** Called whenever nothing is in progress: decides what comes next. */
  #serveNext(at = now()): void {
    const request = this.#queue.head;
    if (!this.#hold.isLiveAt(at)) this.#end();
    else if (!this.#mayGoOn(at)) void this.#passOn();
    else if (request instanceof GrantRequest) this.#serve(request);
    else void this.#apply();
  }

  #end(): void {
    this.#queue.lockIs("unknown");
    if (this.#hold.state === "lost") this.#tickets.abandon(this.#hold);
    this.#serving.end();
    this.#onServed();
  }

  /** No request in this process wants the lock any more, or the process has had its share. */
  async #passOn(): Promise<void> {
    await this.#giveUp();
    this.#serveNext(); // the lock was released, kept or lost
  }

  async #giveUp(): Promise<void> {
    await this.#release(undefined).catch((error: unknown) => warnOfRelease(error, this.#hold.id)); // lost, and cancelled
  }

  /** Replicas that have one grant have all of its fences, which were reserved with it. */
  #serve(request: GrantRequest): void {
    const { durability } = request;
    if (durability === undefined || this.#hold.replicas >= durability.replicas) this.#lend(request);
    else void this.#awaitReplicas(durability);
  }

  /** If the request gives up meanwhile, the one that is then first is served. */
  async #awaitReplicas(durability: Durability): Promise<void> {
    const { calls } = this.#tickets;
    const queue = this.#queue;
    const isFor = (request: Request): boolean => request instanceof GrantRequest;
    queue.lockIs("unknown"); // the reply may still serve expired requests
    await awaitReplicas({ calls, hold: this.#hold, queue, durability, isFor, giveUp: () => this.#giveUp() });
    this.#serveNext();
  }

  /** The caller has the lock until it releases or loses it. Either way, this object is notified. */
  #lend(request: GrantRequest): void {
    const hold = this.#hold;
    this.#queue.remove(request);
    hold.countServed();
    if (!request.loads) hold.forgetKnownState(); // a caller that has the lock may change the state
    const grant = new HeldGrant({ hold, fence: hold.takeFence(), lender: this });
    limitHold(this.#tickets.calls.deadlines, grant, request.maxHoldMs);
    this.#lent = grant;
    publishAcquired(request, grant);
    request.serve(grant);
    this.#queue.lockIs("taken");
  }

  /** Gives the next request the lock at once, or releases it at the backend. Returns whether it was still held. */
  onRelease(grant: HeldGrant): Promise<boolean> {
    if (grant !== this.#lent) return Promise.resolve(false); // [L6] a lost lock cannot be released
    this.#lent = undefined;
    const isHeld = this.#hold.state === "held";
    if (isHeld && !this.#mayGoOn(now())) return this.#handBack(grant);
    if (isHeld) publishReleased(grant);
    else this.#queue.lockIs("unknown");
    // Not at once: the caller that released it goes on first, as it would after a round trip to the backend.
    soon(() => this.#serveNext());
    return Promise.resolve(isHeld || this.#hold.isOver); // it may have been released by a commit
  }

  /** The lock will be released in the step of a commit, unless this process goes on with it. */
  joinRelease(grant: HeldGrant): JoinedRelease | undefined {
    const hold = this.#hold;
    if (grant !== this.#lent || hold.state !== "held" || this.#mayGoOn(now())) return undefined;
    this.#tickets.unwatch(hold); // [L6] before the release is sent
    hold.markReleasing();
    return {
      receipt: this.#tickets.calls.receipt(hold.sequence),
      released: () => {
        if (hold.state !== "releasing") return; // given up in the meantime, or the store was closed
        this.#queue.lockIs("unknown");
        publishReleased(grant);
        grant.releasedByCommit();
        this.#tickets.end(hold);
      },
      refused: () => {
        if (hold.state !== "releasing") return;
        hold.stillHeld();
        if (hold.isLive) this.#tickets.watch(hold);
      },
    };
  }

  onLose(grant: HeldGrant): void {
    if (grant !== this.#lent) return;
    this.#lent = undefined;
    this.#serveNext();
  }

  async #handBack(grant: HeldGrant): Promise<boolean> {
    try {
      const { status } = (await this.#release(undefined)).reply;
      const wasHeld = status === "released" || status === "kept";
      if (wasHeld) publishReleased(grant);
      return wasHeld;
    } finally {
      this.#serveNext();
    }
  }

  /** The operations that a run of changes may use. */
  get #runHost(): RunHost {
    const queue = this.#queue;
    return (this.#host ??= {
      get onSlow() {
        return queue.hasExpired ? () => queue.timeOut() : undefined;
      },
      nextChange: (batch) => this.#nextChange(batch),
      release: (write, durability) => this.#release(write, durability),
      releaseUnlessWanted: async () => {
        if (!this.#mayGoOn(now())) await this.#giveUp();
      },
      leaveKnownState: (known) => {
        if (this.#hold.state === "held") this.#hold.leaveKnownState(known);
      },
    });
  }

  async #apply(): Promise<void> {
    const { keepAlive } = this.#tickets.calls;
    this.#queue.lockIs("ours");
    keepAlive.ref(); // [P1] requests that are being served have left the queue
    this.#servedBefore = this.#hold.served;
    try {
      await new BatchRun(this.#tickets.calls, this.#hold).serve(this.#runHost);
    } catch (error) {
      this.#queue.rejectAll(error, (request) => request instanceof ChangeRequest); // there is no state to change
    } finally {
      keepAlive.unref();
    }
    this.#serveNext();
  }

  /** The next change of a run that began when the hold had served `servedBefore` requests. */
  #nextChange(batch: Batch): Change | undefined {
    const hold = this.#hold;
    const request = this.#queue.head;
    if (!(request instanceof ChangeRequest) || request.leaseMs !== hold.leaseMs || batch.closed)
      return undefined;
    // One is always served: loading the state may have taken longer than the lock may be kept.
    const at = now();
    if (hold.served > this.#servedBefore && !isWithinBounds(hold, at)) return undefined;
    // Requests that still wait can be served under another ticket.
    if (hold.isTainted || !batch.takes(request.change) || !hold.isLiveAt(at)) return undefined;
    if (hold.isUnsure) return undefined;
    this.#queue.remove(request);
    hold.countServed();
    return request.change;
  }

  /** Whether there is a next request that may have the lock without asking the backend. */
  #mayGoOn(at: number): boolean {
    const hold = this.#hold;
    if (!suits(this.#queue.head, hold)) return false;
    if (!hold.isLiveAt(at) || hold.isTainted || hold.fencesLeft === 0 || hold.isUnsure) return false;
    // One is always served: a process that had to wait for the CPU or for a slow reply has had no share yet [L2].
    if (hold.served === 0) return true;
    if (hold.isForOne) return false;
    // Near the end of its lease, the lock is renewed before the next request gets it.
    return isWithinBounds(hold, at) && hold.until - at > hold.lease.grantedMs / 3;
  }

  /**
   * Releases the lock, or keeps it for the next request if no other client waits: one step on the backend. A release
   * that waits for replicas does not keep the lock, so that other clients need not wait for the replicas too.
   */
  #release(write: StateWrite | undefined, durability?: Durability): Promise<Done<ReleaseReply>> {
    const hold = this.#hold;
    const { leaseMs } = hold;
    const isWanted = suits(this.#queue.head, hold) && !hold.isForOne;
    const isKept = durability === undefined && isWanted && !hold.isTainted;
    const keep = isKept ? { leaseMs, fences: this.#queue.fencesWanted } : undefined;
    const settle = (reply: ReleaseReply, sentAt: number): void => this.#settle(reply, sentAt);
    return releaseHold(this.#tickets, hold, { write, keep, durability, settle });
  }

  #settle(reply: ReleaseReply, sentAt: number): void {
    const hold = this.#hold;
    if (reply.status === "released" || reply.status === "lost") this.#queue.lockIs("unknown"); // newer ones ask again
    if (reply.status === "released") return this.#tickets.end(hold);
    if (reply.status === "lost") return hold.lose("the server says that it is no longer the holder");
    hold.sequence.next(); // the next operation of this ticket is a different one [S5]
    if (hold.state === "lost") return; // the store was closed in the meantime, and the ticket is being cancelled
    if (reply.status === "kept") return this.#keep(reply, sentAt);
    hold.stillHeld();
    if (hold.isLive) this.#tickets.watch(hold);
  }

  /** A write in this release is saved, whether or not the grant that came with the reply can be used [S5]. */
  #keep(reply: Extract<ReleaseReply, { status: "released" | "kept" }>, sentAt: number): void {
    try {
      this.#hold = this.#tickets.keep(this.#hold, reply, sentAt);
    } catch (error) {
      this.#hold.lose(error as Error);
    }
  }
}
