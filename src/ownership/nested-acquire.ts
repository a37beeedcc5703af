/**
 * Re-entry: a grant inside a grant [L4].
 *
 * A caller that already holds the lock gets it again without a round trip. Branches of one owner run one after another,
 * ordered by the mutex of the grant that they share.
 */
import type { Durability } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { tooFewForLock } from "../calls/durability.ts";
import { InvalidArgumentError, LockTimeoutError, quoted, shownId } from "../errors.ts";
import { confirmHold } from "../leases/confirm-hold.ts";
import { thisProcess } from "../leases/ticket.ts";
import { onAbort, onCallersAbort, throwIfAborted } from "./abort-listeners.ts";
import { HeldGrant, type Lender } from "./grant.ts";
import type { Unlock } from "./mutex.ts";
import type { WaitOptions } from "./wait-options.ts";

/**
 * Returns a grant nested in `parent`, once no other branch is active under it. With `durability`, waits until enough
 * replicas know the grant, since the outer caller may not have asked for that. If `parent` ends first, throws the
 * reason.
 */
export async function acquireNested(
  calls: BackendCalls,
  parent: HeldGrant,
  how: WaitOptions,
): Promise<HeldGrant> {
  if (parent.hold.share !== undefined && how.share === undefined) throw upgradeError(parent.id);
  const unlock = parent.mutex.tryLock() ?? (await waitForMutex(calls, parent, how));
  if (parent.hold.isUnsure) await parent.hold.lease.whenSure();
  const error = parent.lossError;
  if (error !== undefined) {
    unlock();
    throw error;
  }
  const lender: Lender = {
    onRelease: () => {
      unlock();
      return Promise.resolve(true);
    },
    onLose: unlock, // lost with its parent: do not wait for its release, which may never come
  };
  const nested = new HeldGrant({ hold: parent.hold, fence: parent.fence, parent, lender });
  const { durability } = how;
  if (durability === undefined || nested.hold.replicas >= durability.replicas) return nested;
  try {
    await confirmGrant(calls, nested, durability);
    return nested;
  } catch (failure) {
    await nested.end();
    throw failure;
  }
}

/** Waits until the replicas have the grant and everything done before it. Throws if too few have it, or it is lost. */
async function confirmGrant(calls: BackendCalls, grant: HeldGrant, durability: Durability): Promise<void> {
  const { hold } = grant;
  const replicas = await confirmHold(calls, hold, durability);
  if (replicas < durability.replicas && hold.isLive) throw tooFewForLock(hold.id, replicas, durability);
  const { lossError } = grant;
  if (lossError !== undefined) throw lossError;
}

function waitForMutex(calls: BackendCalls, parent: HeldGrant, how: WaitOptions): Promise<Unlock> {
  const { waitMs, signal } = how;
  const { deadlines, keepAlive } = calls;
  if (waitMs === 0) return Promise.reject(siblingTimeoutError(parent.id, waitMs));
  throwIfAborted(signal);
  keepAlive.ref(); // [P1]
  let end: () => void = () => undefined;
  const locked = new Promise<Unlock>((resolve, reject) => {
    let giveUp = (): boolean => false;
    const stop = (error: unknown): void => {
      if (giveUp()) reject(error); // or the reason of the caller's signal
    };
    const deadline = deadlines.set(waitMs, () => stop(siblingTimeoutError(parent.id, waitMs)));
    const stopListening = onCallersAbort(signal, stop);
    // Its signal also aborts when `maxHoldMs` is over, and it is still held then.
    const stopWatching = onAbort(parent.signal, () => {
      if (parent.lossError !== undefined) stop(parent.lossError);
    });
    end = () => {
      deadlines.clear(deadline);
      stopListening();
      stopWatching();
      keepAlive.unref();
    };
    void parent.mutex.lock((stopWaiting) => (giveUp = stopWaiting)).then(resolve);
  });
  return locked.finally(() => end());
}

/** [L12] Two shared holders that both waited for the other to leave would wait for ever. */
function upgradeError(id: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `The lock ${quoted(id)} is held by this caller as a shared one, and cannot be acquired exclusively as well. ` +
      `Release it first, or acquire it without { shared: true } from the start.`,
  );
}

/** A branch under the same grant had the lock all the time. */
function siblingTimeoutError(id: string, waitMs: number): LockTimeoutError {
  return new LockTimeoutError(
    `The lock ${quoted(id)} is already held by this owner, but another of its concurrent calls was still using it` +
      `${waitMs === 0 ? "" : ` after waitMs (${waitMs} ms)`}: such calls run one at a time.`,
    { id: shownId(id), holder: { ...thisProcess(), here: true }, holding: [shownId(id)] },
  );
}
