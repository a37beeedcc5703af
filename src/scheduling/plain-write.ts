/** [S8] A save or delete that is alone in its local queue needs no ticket if the lock is free. */
import type { WriteReply } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { shownId } from "../errors.ts";
import { publishUpdate } from "../updates/batch.ts";
import type { PlainChange } from "../updates/change.ts";
import { noteBegin, traceSave } from "../updates/trace-save.ts";

/** Settles the change, unless the lock is busy: then it must wait for it. */
export async function writePlain(
  calls: BackendCalls,
  id: string,
  change: PlainChange,
): Promise<"settled" | "busy"> {
  if (change.trace !== undefined) noteBegin(change.trace, change.arrivedAt);
  try {
    const operation = { doing: "Writing the state", id, durability: change.durability };
    const { reply, shortage } = await traceSave(change, change.plain, () =>
      calls.exactlyOnce<WriteReply>(operation, (receipt) =>
        calls.backend.writeState(id, change.plain, null, receipt),
      ),
    );
    if (shortage !== undefined) throw shortage;
    if (reply.status === "busy") return "busy";
    if (reply.status === "lost") throw new Error(`HOLDFAST_PLAIN_WRITE_LOST: ${shownId(id)}`); // it has no ticket
    if (reply.status === "saved" || reply.status === "deleted") publishUpdate(id, 1, change.plain);
    change.answer(reply);
  } catch (error) {
    change.fail(error);
  }
  return "settled";
}
