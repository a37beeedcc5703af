/**
 * A change under a grant that the caller already holds: no lock of its own, but the same order, fence and refusals.
 *
 * It is made under a nested grant [L4], and refused once the grant has ended [S4].
 */
import type { BackendCalls } from "../calls/backend-calls.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { acquireNested } from "../ownership/nested-acquire.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { publishUpdate } from "./batch.ts";
import { BatchRun } from "./batch-run.ts";
import { PlainChange, type Change } from "./change.ts";
import { noteBegin, traceSave } from "./trace-save.ts";
import { writeUnderTicket } from "./write-under-ticket.ts";

/** Always settles the change. */
export async function changeUnder(
  calls: BackendCalls,
  change: Change,
  under: WaitOptions & { readonly grant: HeldGrant },
): Promise<void> {
  calls.keepAlive.ref(); // [P1]
  try {
    // The write waits for replicas.
    const grant = await acquireNested(calls, under.grant, { ...under, durability: undefined });
    try {
      if (change instanceof PlainChange) await writePlain(calls, change, grant);
      else await new BatchRun(calls, grant.hold).serveUnder(grant, change);
    } finally {
      await grant.end();
    }
  } catch (error) {
    change.fail(error);
  } finally {
    calls.keepAlive.unref();
  }
}

/** In one step, without loading the state. */
async function writePlain(calls: BackendCalls, change: PlainChange, grant: HeldGrant): Promise<void> {
  const lost = grant.lossError;
  if (lost !== undefined) throw lost;
  const { hold, fence } = grant;
  const { plain, durability } = change;
  if (change.trace !== undefined) noteBegin(change.trace, change.arrivedAt, fence);
  const guard = { calls, hold, fence, durability };
  const reply = await traceSave(change, plain, () => grant.track(writeUnderTicket(guard, plain)));
  if (reply.status === "saved" || reply.status === "deleted") publishUpdate(hold.id, 1, plain);
  change.answer(reply);
}
