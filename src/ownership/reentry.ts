/**
 * Re-entry: a grant inside a grant [L4].
 *
 * Whoever already holds the lock gets it again without asking the backend; branches of one owner go one after the
 * other through the gate of the grant that they share.
 */
import type { Durability } from "../backends/contract.ts";
import { awaitLock, tooFewForLock } from "../calls/durability.ts";
import { HeldGrant, type Lender } from "./grant.ts";
import type { Leave } from "./mutex.ts";
import type { Patience } from "../scheduling/request.ts";
import type { Room } from "../leases/room.ts";
import { onAbort, onCallersAbort } from "./abort-signals.ts";
import { siblingTimeoutError } from "../scheduling/timeout-error.ts";

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

/** The same for a caller who is to have a grant that replicas know: the outer one may not have asked for that. */
export async function acquireDurableChild(
  room: Room,
  parent: HeldGrant,
  patience: Patience & { readonly durability: Durability },
): Promise<HeldGrant> {
  const child = await acquireChild(room, parent, patience);
  try {
    const { durability } = patience;
    if (child.turn.replicas < durability.replicas) await awaitGrant(room, child, durability);
    return child;
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** Until the replicas have the grant and all that was done before. Throws if too few have it, or it is lost. */
export async function awaitGrant(room: Room, grant: HeldGrant, durability: Durability): Promise<void> {
  const { turn } = grant;
  const replicas = await awaitLock(room.conversations, turn, durability);
  if (replicas === "gone") turn.lose("the server does not know it");
  else turn.replicas = replicas;
  if (turn.replicas < durability.replicas && turn.live)
    throw tooFewForLock(turn.id, turn.replicas, durability);
  const { lossError } = grant;
  if (lossError !== undefined) throw lossError;
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
    const deadline = deadlines.set(waitMs, () => stop(siblingTimeoutError(parent.id, waitMs)));
    const stopListening = onCallersAbort(signal, stop);
    const stopWatching = onAbort(parent.signal, () => stop(parent.lossError));
    end = () => {
      deadlines.clear(deadline);
      stopListening();
      stopWatching();
      keepAlive.drop();
    };
    void parent.gate.enter((stopWaiting) => (giveUp = stopWaiting)).then(resolve);
  });
  return entered.finally(() => end());
}
