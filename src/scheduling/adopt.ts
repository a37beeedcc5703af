/**
 * Takes a lock over from the holder that a token names: one ask, by a ticket of its own, that never waits. The hold is lent
 * to one caller and then released.
 *
 * The ask is retried until it is answered; its ticket holds the lock then, and gets the same grant again [S5]. If there is
 * no answer, or the caller gives up, the ticket is cancelled like every other: a lock that it did get is released [L7].
 */
import type { AcquireReply, AcquireRequest, TakenFrom } from "../backends/contract.ts";
import type { InFlight } from "../calls/in-flight-counter.ts";
import { tooFewForLock } from "../calls/durability.ts";
import { shownId } from "../errors.ts";
import type { Acquisition } from "../leases/acquisition.ts";
import { confirmHold } from "../leases/confirm-hold.ts";
import { wasAdopted } from "../leases/handed-out.ts";
import type { Hold } from "../leases/hold.ts";
import { releaseHold } from "../leases/release-hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { onCallersAbort } from "../ownership/abort-listeners.ts";
import { HeldGrant, lockLost, type Lender } from "../ownership/grant.ts";
import { limitHold } from "../ownership/hold-limit.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { now } from "../timers.ts";
import { publishAcquired, publishReleased } from "./grant-events.ts";
import { grantedTooLate, settledTicket } from "./refused-asks.ts";

interface Setting {
  readonly tickets: TicketRegistry;
  /** Counts the locks that are in use. */
  readonly serving: InFlight;
}

type How = Omit<WaitOptions, "waitMs" | "share">;

/** Throws LockLostError if the lock is not held as the token says. */
export async function adopt(
  setting: Setting,
  { id, ...from }: TakenFrom & { readonly id: string },
  how: How,
): Promise<HeldGrant> {
  const { tickets } = setting;
  const waitsFrom = now();
  const acquisition = tickets.start(id, how.leaseMs, { renews: how.renew ?? true });
  const hold = await untilAborted(how.signal, () => take(tickets, acquisition, from)).catch(
    (error: unknown) => {
      if (!acquisition.isOver) tickets.abandon(acquisition);
      throw error;
    },
  );
  wasAdopted(from.ticket);
  const grant = new Adopted(setting, hold).grant;
  limitHold(tickets.calls.deadlines, grant, how.maxHoldMs);
  await confirm(tickets, grant, how);
  publishAcquired({ waitsFrom }, grant);
  return grant;
}

async function take(tickets: TicketRegistry, acquisition: Acquisition, from: TakenFrom): Promise<Hold> {
  const { calls } = tickets;
  const { id, leaseMs, sequence, ticket } = acquisition;
  const request: AcquireRequest = { leaseMs, queue: false, load: false, fences: 1, from };
  for (;;) {
    let sentAt = 0;
    const ask = (at: number): Promise<AcquireReply> => {
      sentAt = at;
      acquisition.asked();
      return calls.backend.acquireLock(id, ticket, request, calls.receipt(sequence));
    };
    const reply = await calls.idempotent({ doing: "Adopting the lock", id }, ask);
    if (reply.status === "lost") throw lockLost(id, from.fence, "it was released or lost, or adopted before");
    if (reply.status === "settled") throw settledTicket(ticket);
    if (reply.status !== "granted") throw new Error(`HOLDFAST_ADOPTION_WAITS: ${shownId(id)}`);
    if (acquisition.isOver) throw new Error(`HOLDFAST_ADOPTED_IN_VAIN: ${shownId(id)}`); // its caller has an error already
    if (!tickets.hasSleptSince(sentAt)) return held(tickets, tickets.granted(acquisition, reply, sentAt));
  }
}

function held(tickets: TicketRegistry, hold: Hold): Hold {
  if (hold.state === "held") return hold;
  tickets.abandon(hold);
  throw grantedTooLate(hold, tickets.calls.backend.name);
}

/** The first of both: what `call` gives, or the reason of the caller's signal. */
async function untilAborted<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => (stop = onCallersAbort(signal, reject)));
  try {
    return await Promise.race([call(), aborted]);
  } finally {
    stop();
  }
}

async function confirm({ calls }: TicketRegistry, grant: HeldGrant, { durability }: How): Promise<void> {
  if (durability === undefined) return;
  const { hold } = grant;
  try {
    const replicas = await confirmHold(calls, hold, durability);
    if (grant.lossError !== undefined) throw grant.lossError;
    if (replicas < durability.replicas) throw tooFewForLock(hold.id, replicas, durability);
  } catch (error) {
    await grant.end().catch(() => undefined); // its caller has this error already
    throw error;
  }
}

/** Lends an adopted hold to its one caller. */
class Adopted implements Lender {
  readonly grant: HeldGrant;
  readonly #setting: Setting;
  readonly #hold: Hold;
  #isOver = false;

  constructor(setting: Setting, hold: Hold) {
    this.#setting = setting;
    this.#hold = hold;
    setting.serving.begin();
    hold.countServed();
    this.grant = new HeldGrant({ hold, fence: hold.takeFence(), lender: this });
  }

  async onRelease(grant: HeldGrant): Promise<boolean> {
    if (this.#isOver) return false; // [L6] it was lost
    const { tickets } = this.#setting;
    const hold = this.#hold;
    try {
      const settle = ({ status }: { readonly status: string }): void => {
        if (status === "released") tickets.end(hold);
        else hold.lose("the server says that it is no longer the holder");
      };
      const { reply } = await releaseHold(tickets, hold, { settle });
      if (reply.status === "released") publishReleased(grant);
      return reply.status === "released";
    } finally {
      this.#end();
    }
  }

  onLose(): void {
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#hold.state === "lost") this.#setting.tickets.abandon(this.#hold);
    this.#setting.serving.end();
  }
}
