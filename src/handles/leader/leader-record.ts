/**
 * What a leader proclaims, as stored under its lock, and who leads according to that and to the lock.
 *
 * The record names the fence of its term. It counts only while the lock is held with that fence: a record that a dead
 * leader left counts no more [E1].
 */
import type { LoadedState, LockEntry } from "../../backends/contract.ts";
import { parseTicket } from "../../leases/ticket.ts";
import type { Codec } from "../../updates/codec.ts";
import type { LeaderInfo } from "./leader.ts";

/** A stored format. `since`: milliseconds of the leader's clock since 1970. */
interface Stored {
  readonly fence: number;
  readonly since: number;
  readonly value?: unknown;
}

/** Who leads, the revision of the record that says so, and the remaining lease of the lock. */
export interface SeenLeader<T> {
  readonly info: LeaderInfo<T>;
  readonly revision: number;
  readonly leaseMs: number | null;
}

export function recordOf(codec: Codec, stored: Stored): Uint8Array {
  return codec.encode(stored);
}

/** `null`: no process leads. */
export function leaderOf<T>(
  id: string,
  seen: { readonly codec: Codec; readonly clientId: string },
  found: { readonly lock: LockEntry | null; readonly state: LoadedState },
): SeenLeader<T> | null {
  const { lock, state } = found;
  if (lock === null || state === null) return null;
  const record = seen.codec.readable(state);
  if (record === null) return null;
  const stored = seen.codec.valueOf(record) as Partial<Stored> | null | undefined;
  const { fence, since } = { fence: stored?.fence, since: stored?.since };
  if (typeof fence !== "number" || typeof since !== "number")
    throw seen.codec.corrupt("it is not the record of a leader");
  if (!isHeldWith(lock, fence)) return null;
  const { host, pid, clientId } = parseTicket(lock.holder.token);
  const here = clientId === seen.clientId;
  const value = stored?.value as T | undefined;
  const info = { id, fence, since: new Date(since), value, host, pid, here };
  return { info, revision: record.revision, leaseMs: lock.expiresInMs };
}

function isHeldWith({ fence: first, lastFence }: LockEntry, fence: number): boolean {
  return first !== null && lastFence !== null && fence >= first && fence <= lastFence;
}
