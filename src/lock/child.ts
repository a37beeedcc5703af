/**
 * Re-entry: a grant inside a grant [L4].
 *
 * Whoever already holds the lock gets it again without asking the backend; branches of one owner go one after the
 * other through the gate of the grant that they share.
 */
import { HeldGrant, type Lender } from "./grant.ts";
import type { Leave } from "./gate.ts";
import type { Patience } from "./job.ts";
import type { Room } from "./room.ts";
import { siblingTimeoutError } from "./timeout.ts";

/** A grant nested in `parent`, once no other branch is busy under it. Throws what ended `parent` if that comes first. */
export async function acquireChild(room: Room, parent: HeldGrant, patience: Patience): Promise<HeldGrant> {
  const leave = parent.gate.tryEnter() ?? (await waitAtGate(room, parent, patience));
  const error = parent.lossError;
  if (error !== undefined) {
    leave();
    throw error;
  }
  const lender: Lender = {
    onRelease: () => {
      leave();
      return Promise.resolve(true);
    },
    onLose: leave, // lost with its parent: nobody may wait for its release, which may never come
  };
  return new HeldGrant({ turn: parent.turn, fence: parent.fence, parent, lender });
}

function waitAtGate(room: Room, parent: HeldGrant, patience: Patience): Promise<Leave> {
  const { waitMs, signal } = patience;
  const { deadlines, keepAlive } = room.conversations;
  if (waitMs === 0) return Promise.reject(siblingTimeoutError(parent.id, waitMs));
  keepAlive.hold(); // [P1]
  let end: () => void = () => undefined;
  const entered = new Promise<Leave>((resolve, reject) => {
    let giveUp = (): boolean => false;
    const stop = (error: unknown): void => {
      if (giveUp()) reject(error); // or whatever the caller's signal aborted with
    };
    const onAbort = (): void => stop(signal?.reason);
    const onLoss = (): void => stop(parent.lossError);
    const deadline = deadlines.set(waitMs, () => stop(siblingTimeoutError(parent.id, waitMs)));
    signal?.addEventListener("abort", onAbort);
    parent.signal.addEventListener("abort", onLoss);
    end = () => {
      deadlines.clear(deadline);
      signal?.removeEventListener("abort", onAbort);
      parent.signal.removeEventListener("abort", onLoss);
      keepAlive.drop();
    };
    void parent.gate.enter((stopWaiting) => (giveUp = stopWaiting)).then(resolve);
  });
  return entered.finally(() => end());
}
