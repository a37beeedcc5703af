/**
 * Acquires the locks of several resources, all or none, with leases that are not renewed.
 *
 * All are tried in one tick first. If one is not free, those before it in the order of ids are kept, and the call waits for
 * one after another in that order: so two calls never wait for each other, nor for a `lockAll` of the same store. What is held
 * meanwhile is extended, and each gets the whole lease again in the end.
 */
import { LockTimeoutError } from "../errors.ts";
import type { Lock } from "../handles/lock.ts";
import type { Grant } from "../ownership/public-grant.ts";
import type { Store } from "../store/store.ts";
import { after, now } from "../timers.ts";

export interface Wanted {
  readonly leaseMs: number;
  readonly waitMs: number;
}

/**
 * Returns a grant of each, in the order of ids.
 *
 * @throws what `lock.acquire` throws; then none of them is held.
 */
export async function acquireEach(
  store: Store,
  resources: readonly string[],
  { leaseMs, waitMs }: Wanted,
): Promise<readonly Grant[]> {
  const locks = store.lockAll(resources).ids.map((id) => store.lock(id, { leaseMs }));
  const [only] = locks;
  if (only !== undefined && locks.length === 1) return [await only.acquire({ renew: false, waitMs })];
  const beganAt = now();
  const granted = await tryEach(locks);
  if (granted.length === locks.length) return granted;
  try {
    for (const lock of locks.slice(granted.length)) {
      const leftMs = Math.max(0, beganAt + waitMs - now());
      granted.push(await keeping(granted, leaseMs, (signal) => acquire(lock, leftMs, signal)));
    }
    await Promise.all(granted.map((grant) => grant.extend(leaseMs)));
    return granted;
  } catch (error) {
    await giveBack(granted);
    throw error;
  }
}

/** Those that are free, up to the first that is not. */
async function tryEach(locks: readonly Lock[]): Promise<Grant[]> {
  const tries = await Promise.allSettled(locks.map((lock) => acquire(lock, 0)));
  const firstBusy = tries.findIndex(({ status }) => status === "rejected");
  const end = firstBusy < 0 ? tries.length : firstBusy;
  const granted = tries.map((one) => (one.status === "fulfilled" ? one.value : undefined));
  const failure = tries.find((one) => one.status === "rejected" && !(one.reason instanceof LockTimeoutError));
  const keeps = failure === undefined ? end : 0;
  await giveBack(granted.slice(keeps).filter((grant) => grant !== undefined));
  if (failure?.status === "rejected") throw failure.reason;
  return granted.slice(0, keeps).filter((grant) => grant !== undefined);
}

function acquire(lock: Lock, waitMs: number, signal?: AbortSignal): Promise<Grant> {
  return lock.acquire({ renew: false, waitMs, signal });
}

/** Extends what is held until `work` is done, whose signal aborts if one of them is lost. */
async function keeping<R>(
  held: readonly Grant[],
  leaseMs: number,
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  let timer = after(leaseMs / 3, extend);
  function extend(): void {
    timer = after(leaseMs / 3, extend);
    // Without an answer, it is tried again in time; once the lease is over, the grant's own signal says so.
    for (const grant of held) grant.extend(leaseMs).catch(() => undefined);
  }
  try {
    return await work(AbortSignal.any(held.map(({ signal }) => signal)));
  } finally {
    timer.stop();
  }
}

/** What gets no answer ends with its lease. */
export async function giveBack(grants: readonly Grant[]): Promise<void> {
  await Promise.allSettled(grants.map((grant) => grant.release()));
}
