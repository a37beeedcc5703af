/**
 * One write under a ticket that holds the lock. The server refuses it if the ticket does not hold the lock any more
 * [S4].
 */
import type { Durability, StateWrite, WriteReply } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { shownId, UnavailableError } from "../errors.ts";
import type { Hold } from "../leases/hold.ts";
import { lockLost } from "../ownership/grant.ts";
import type { PlainReply } from "./change.ts";

export interface Guard {
  readonly calls: BackendCalls;
  readonly hold: Hold;
  readonly fence: number;
  /** How many replicas must have it before the caller's promise resolves. */
  readonly durability: Durability | undefined;
}

/** Throws LockLostError if the server refuses it because the ticket no longer holds the lock. */
export async function writeUnderTicket(guard: Guard, write: StateWrite): Promise<PlainReply> {
  const { calls, hold, fence, durability } = guard;
  const operation = { doing: "Writing the state", id: hold.id, durability };
  const { reply, shortage } = await calls
    .exactlyOnce<WriteReply>(operation, (receipt) =>
      calls.backend.writeState(hold.id, write, hold.ticket, receipt),
    )
    .catch((error: unknown) => {
      // A late copy of it could still arrive: this ticket must not serve another caller.
      if (error instanceof UnavailableError && error.outcome === "unknown") hold.taint();
      throw error;
    });
  if (shortage !== undefined) {
    hold.taint();
    throw shortage;
  }
  if (reply.status === "busy") throw new Error(`HOLDFAST_BUSY_UNDER_TICKET: ${shownId(hold.id)}`);
  if (reply.status !== "lost") return reply;
  hold.lose("the server refused a save under it");
  throw lockLost(hold.id, fence, "the server refused the save");
}
