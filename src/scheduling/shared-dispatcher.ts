/**
 * Lends a share of a lock to the callers of this process that want one, many at a time, until the last has released it
 * [L12].
 *
 * A hold takes new borrowers only while no exclusive request is known to wait, and only for a bounded time. After that,
 * it is lent to those that have it, and the next callers ask with a ticket of their own, which waits its turn. So an
 * exclusive request waits for the functions that are running, and for no more than that time, even if the wake that
 * tells of it is lost.
 */
import type { Durability } from "../backends/contract.ts";
import type { InFlight } from "../calls/in-flight-counter.ts";
import type { Hold } from "../leases/hold.ts";
import { releaseHold } from "../leases/release-hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { HeldGrant, type Lender } from "../ownership/grant.ts";
import { limitHold } from "../ownership/hold-limit.ts";
import { now } from "../timers.ts";
import type { DispatcherOptions } from "./dispatcher.ts";
import { awaitReplicas } from "./await-replicas.ts";
import { publishAcquired, publishReleased, warnOfRelease } from "./grant-events.ts";
import { isWithinBounds } from "./hold-bounds.ts";
import type { LocalQueue } from "./local-queue.ts";
import { GrantRequest, suits, type Request } from "./request.ts";

export class SharedDispatcher implements Lender {
  readonly #queue: LocalQueue;
  readonly #tickets: TicketRegistry;
  readonly #serving: InFlight;
  readonly #onServed: () => void;
  /** The grants of each hold that is lent. */
  readonly #lent = new Map<Hold, Set<HeldGrant>>();
  /** The hold that takes new borrowers. */
  #open: Hold | undefined;
  /** Requests that waited for its grant are still being served: it is lent to all of them. */
  #isBeginning = false;
  /** The hold that waits for replicas. */
  #confirming: Hold | undefined;

  constructor(queue: LocalQueue, { tickets, serving, onServed }: DispatcherOptions) {
    this.#queue = queue;
    this.#tickets = tickets;
    this.#serving = serving;
    this.#onServed = onServed;
  }

  /** Starts to lend this hold. `onServed` is called when it takes no more borrowers. */
  begin(hold: Hold): void {
    this.#serving.begin();
    this.#lent.set(hold, new Set());
    this.#open = hold;
    this.#queue.lockIs("unknown");
    this.#isBeginning = true;
    this.#lendMore(hold);
  }

  /** A request has joined the queue. */
  arrived(): void {
    if (this.#open !== undefined && this.#confirming === undefined) this.#lendMore(this.#open);
  }

  /** [L2] An exclusive request has come: those that come after it wait behind it. */
  takeNoMore(): void {
    if (this.#open !== undefined && this.#confirming === undefined) this.#close(this.#open);
  }

  #lendMore(hold: Hold): void {
    for (let request = this.#queue.head; request !== undefined; request = this.#queue.head) {
      if (!(request instanceof GrantRequest) || !this.#mayJoin(hold, request)) return this.#close(hold);
      const { durability } = request;
      if (durability !== undefined && hold.replicas < durability.replicas) {
        void this.#awaitReplicas(hold, durability);
        return;
      }
      this.#lend(hold, request);
    }
    this.#isBeginning = false;
    if (this.#grantsOf(hold).size === 0) this.#close(hold); // without grants: the last request gave up
  }

  #mayJoin(hold: Hold, request: Request): boolean {
    const at = now();
    if (hold.isForOne && hold.served > 0) return false;
    if (!suits(request, hold) || hold.fencesLeft === 0 || !hold.isLiveAt(at) || hold.isUnsure) return false;
    if (this.#isBeginning) return true;
    return !hold.isWanted && isWithinBounds(hold, at);
  }

  #lend(hold: Hold, request: GrantRequest): void {
    this.#queue.remove(request);
    hold.countServed();
    const grant = new HeldGrant({ hold, fence: hold.takeFence(), lender: this });
    limitHold(this.#tickets.calls.deadlines, grant, request.maxHoldMs);
    this.#grantsOf(hold).add(grant);
    publishAcquired(request, grant);
    request.serve(grant);
  }

  /** Those that have it keep it; a hold without any is released. */
  #close(hold: Hold): void {
    if (this.#open !== hold) return;
    this.#open = undefined;
    if (this.#grantsOf(hold).size === 0)
      void this.#release(hold).catch((error: unknown) => warnOfRelease(error, hold.id));
    this.#onServed();
  }

  async #awaitReplicas(hold: Hold, durability: Durability): Promise<void> {
    this.#confirming = hold;
    await awaitReplicas({
      calls: this.#tickets.calls,
      hold,
      queue: this.#queue,
      durability,
      isFor: () => true,
      isOver: () => this.#open !== hold, // it was lost meanwhile: its requests ask again
      giveUp: () => this.#close(hold),
    });
    this.#confirming = undefined;
    if (this.#open === hold) this.#lendMore(hold);
  }

  /** The last borrower releases it at the backend. Returns whether it was still held. */
  async onRelease(grant: HeldGrant): Promise<boolean> {
    const { hold } = grant;
    const grants = this.#grantsOf(hold);
    if (!grants.delete(grant)) return false; // [L6] it was lost
    const isHeld = hold.state === "held";
    if (grants.size > 0 || this.#confirming === hold) {
      if (isHeld) publishReleased(grant);
      return isHeld;
    }
    const released = this.#release(hold);
    this.#closeQuietly(hold);
    const wasHeld = await released;
    if (wasHeld) publishReleased(grant);
    return wasHeld;
  }

  onLose(grant: HeldGrant): void {
    const { hold } = grant;
    const grants = this.#grantsOf(hold);
    grants.delete(grant);
    if (grants.size > 0) return;
    this.#forget(hold);
    this.#closeQuietly(hold);
  }

  /** As close(), for a hold that is being released already. */
  #closeQuietly(hold: Hold): void {
    if (this.#open !== hold) return;
    this.#open = undefined;
    this.#onServed();
  }

  async #release(hold: Hold): Promise<boolean> {
    try {
      const settle = ({ status }: { readonly status: string }): void => {
        if (status === "released") this.#tickets.end(hold);
        else hold.lose("the server says that it is no longer the holder");
      };
      const { reply } = await releaseHold(this.#tickets, hold, { settle });
      return reply.status === "released";
    } finally {
      this.#forget(hold);
    }
  }

  #forget(hold: Hold): void {
    if (!this.#lent.delete(hold)) return;
    if (hold.state === "lost") this.#tickets.abandon(hold);
    this.#serving.end();
  }

  #grantsOf(hold: Hold): Set<HeldGrant> {
    return this.#lent.get(hold) ?? new Set();
  }
}
