/** Releases a hold at the backend, in one step with a write or a request to keep the lock. */
import type { Durability, Receipt, ReleaseReply, ReleaseRequest } from "../backends/contract.ts";
import type { BackendCalls, Done } from "../calls/backend-calls.ts";
import type { Hold } from "./hold.ts";
import type { TicketRegistry } from "./ticket-registry.ts";

export interface HowReleased extends Pick<ReleaseRequest, "write" | "keep"> {
  readonly durability?: Durability | undefined;
  /** Settles the hold by the reply. `sentAt`: when the attempt that it answers was sent. */
  readonly settle: (reply: ReleaseReply, sentAt: number) => void;
}

/** If it throws, the hold is lost. */
export async function releaseHold(
  tickets: Pick<TicketRegistry, "unwatch"> & { readonly calls: BackendCalls },
  hold: Hold,
  { write, keep, durability, settle }: HowReleased,
): Promise<Done<ReleaseReply>> {
  const { id, ticket, sequence } = hold;
  const { calls } = tickets;
  let sentAt = 0;
  if (!hold.isLive) return { reply: { status: "lost" }, shortage: undefined }; // time has passed
  tickets.unwatch(hold); // [L6] before the release is sent, or a late renewal would bring the lock back
  hold.markReleasing();
  try {
    const release = (receipt: Receipt, at: number): Promise<ReleaseReply> => {
      sentAt = at;
      return calls.backend.releaseLock(id, ticket, { write, keep }, receipt);
    };
    const doing = write === undefined ? "Releasing the lock" : "Saving the state";
    const done = await calls.exactlyOnce({ doing, id, durability, sequence }, release);
    settle(done.reply, sentAt);
    return done;
  } catch (error) {
    hold.lose("it is not known whether its release took effect");
    throw error;
  }
}
