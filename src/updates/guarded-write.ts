/** One write under a ticket that holds the lock: refused by the server once it does not [S4]. */
import type { Durability, StateWrite, WriteReply } from "../backends/contract.ts";
import { tellDurably } from "../calls/durability.ts";
import { UnavailableError } from "../errors.ts";
import { lockLost } from "../ownership/grant.ts";
import type { Room } from "../leases/room.ts";
import type { Turn } from "../leases/turn.ts";

export interface Writer {
  readonly room: Room;
  readonly turn: Turn;
  readonly fence: number;
  /** What must have reached replicas before the caller hears of it. */
  readonly durability: Durability | undefined;
}

type Answer = Exclude<WriteReply, { status: "held" | "lost" | "forgotten" }>;

/** Throws LockLostError when the server refuses it since the lock is not this ticket's any more. */
export async function writeUnder(writer: Writer, change: StateWrite): Promise<Answer> {
  const { room, turn, fence, durability } = writer;
  const { conversations } = room;
  const what = { doing: "Writing the state", id: turn.id, durability };
  const reply = await tellDurably<WriteReply>(conversations, what, (receipt) =>
    conversations.backend.writeState(turn.id, change, turn.ticket, receipt),
  ).catch((error: unknown) => {
    // A late copy of it could still arrive: this ticket must not serve anybody else.
    if (error instanceof UnavailableError && error.outcome === "unknown") turn.tainted = true;
    throw error;
  });
  if (reply.status === "held") throw new Error(`HOLDFAST_HELD_UNDER_TICKET: ${turn.id}`);
  if (reply.status !== "lost") return reply;
  turn.lose("the server refused a save under it");
  throw lockLost(turn.id, fence, "the server refused the save");
}
