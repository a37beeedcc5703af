/**
 * Lends a grant of a semaphore to one caller of this process after another, until it is released or lost [L13].
 *
 * Permits that a caller gives back go to the caller that is first in this process if it wants as many, without a round
 * trip, but only for a short time: that is how much later a client that waits gets them [L2]. The time does not depend
 * on whether any client waits, so the holders need not be told.
 */
import type { Durability, Share } from "../../backends/contract.ts";
import type { InFlight } from "../../calls/in-flight-counter.ts";
import type { Hold } from "../../leases/hold.ts";
import { releaseHold } from "../../leases/release-hold.ts";
import type { TicketRegistry } from "../../leases/ticket-registry.ts";
import { HeldGrant, type Lender } from "../../ownership/grant.ts";
import { limitHold } from "../../ownership/hold-limit.ts";
import { now, soon } from "../../timers.ts";
import { awaitReplicas } from "../await-replicas.ts";
import { publishAcquired, publishReleased, warnOfRelease } from "../grant-events.ts";
import { permitsGoOn } from "../hold-bounds.ts";
import type { LocalQueue } from "../local-queue.ts";
import { GrantRequest, isLike, type Request } from "../request.ts";

export interface LoanHost {
  readonly queue: LocalQueue;
  readonly tickets: TicketRegistry;
  readonly serving: InFlight;
  /** Rises when the limit is changed: what was granted before is not handed on. */
  readonly resizes: number;
  /** It is for one of the first requests, but waits for replicas. */
  confirming(loan: PermitLoan): void;
  /** It was lent to the first request, which it suits. */
  lent(loan: PermitLoan): void;
  /** It is being released, or is lost. */
  gaveBack(loan: PermitLoan): void;
}

export class PermitLoan implements Lender {
  readonly #hold: Hold;
  readonly #host: LoanHost;
  /** The grant that a caller has now. */
  #lent: HeldGrant | undefined;
  readonly #resizes: number;
  #isOver = false;

  constructor(hold: Hold, host: LoanHost) {
    this.#hold = hold;
    this.#host = host;
    this.#resizes = host.resizes;
  }

  get leaseMs(): number {
    return this.#hold.leaseMs;
  }

  get share(): Share | undefined {
    return this.#hold.share;
  }

  /** It does not ask any more. */
  readonly isWaiting = false;
  notify(): void {
    return;
  }

  /** Lends it to the first caller that it suits. */
  begin(): void {
    this.#host.serving.begin();
    this.#serve();
  }

  #serve(): void {
    const hold = this.#hold;
    const request = hold.isLive && !hold.isUnsure ? this.#firstLikeIt() : undefined;
    if (request === undefined) return this.#giveBackQuietly();
    const { durability } = request;
    if (durability !== undefined && hold.replicas < durability.replicas) void this.#awaitReplicas(durability);
    else this.#lend(request);
  }

  /** Nearly always the first of all: tickets are granted in the order in which they asked. */
  #firstLikeIt(): GrantRequest | undefined {
    const { queue } = this.#host;
    let request = queue.head;
    while (request !== undefined && !isLike(request, this.#hold)) request = queue.next(request);
    return request as GrantRequest | undefined;
  }

  #lend(request: GrantRequest): void {
    const hold = this.#hold;
    this.#host.queue.remove(request);
    hold.countServed();
    const grant = new HeldGrant({ hold, fence: hold.takeFence(), lender: this });
    limitHold(this.#host.tickets.calls.deadlines, grant, request.maxHoldMs);
    this.#lent = grant;
    publishAcquired(request, grant);
    request.serve(grant);
    this.#host.lent(this);
  }

  /** Gives the permits to the next caller, or releases them at the backend. Returns whether they were still held. */
  onRelease(grant: HeldGrant): Promise<boolean> {
    if (grant !== this.#lent) return Promise.resolve(false); // [L6] they were lost
    this.#lent = undefined;
    if (this.#next(now()) === undefined) return this.#handBack(grant);
    publishReleased(grant);
    // Not at once: the caller that released them goes on first, as it would after a round trip to the backend.
    soon(() => this.#handOn());
    return Promise.resolve(true);
  }

  /** The request that may have the permits without asking the backend. */
  #next(at: number): GrantRequest | undefined {
    const hold = this.#hold;
    const request = this.#host.queue.head;
    if (!(request instanceof GrantRequest) || !isLike(request, hold) || !hold.isLiveAt(at)) return undefined;
    if (hold.isUnsure) return undefined;
    if ((request.durability?.replicas ?? 0) > hold.replicas) return undefined;
    return this.#resizes === this.#host.resizes && permitsGoOn(hold, at) ? request : undefined;
  }

  #handOn(): void {
    const request = this.#next(now());
    if (request === undefined) return this.#giveBackQuietly();
    this.#lend(request);
  }

  onLose(grant: HeldGrant): void {
    if (grant !== this.#lent) return;
    this.#lent = undefined;
    this.#end();
    this.#host.gaveBack(this);
  }

  async #handBack(grant: HeldGrant): Promise<boolean> {
    const wasHeld = await this.#release();
    if (wasHeld) publishReleased(grant);
    return wasHeld;
  }

  #giveBackQuietly(): void {
    void this.#release().catch((error: unknown) => warnOfRelease(error, this.#hold.id));
  }

  async #release(): Promise<boolean> {
    const hold = this.#hold;
    const { tickets } = this.#host;
    try {
      const settle = ({ status }: { readonly status: string }): void => {
        if (status === "released") tickets.end(hold);
        else hold.lose("the server says that it is no longer the holder");
      };
      const released = releaseHold(tickets, hold, { settle });
      this.#host.gaveBack(this);
      return (await released).reply.status === "released";
    } finally {
      this.#end();
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#hold.state === "lost") this.#host.tickets.abandon(this.#hold);
    this.#host.serving.end();
  }

  async #awaitReplicas(durability: Durability): Promise<void> {
    const hold = this.#hold;
    const { queue, tickets } = this.#host;
    this.#host.confirming(this);
    const isFor = (request: Request): boolean => isLike(request, hold);
    const giveUp = (): Promise<unknown> =>
      this.#release().catch((error: unknown) => warnOfRelease(error, hold.id));
    await awaitReplicas({ calls: tickets.calls, hold, queue, durability, isFor, giveUp });
    if (!this.#isOver) this.#serve();
  }
}
