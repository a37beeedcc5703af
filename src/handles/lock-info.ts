/** What `inspect()` and `locks()` return: a backend's entry, for users. */
import type { LockEntry, ShareEntry } from "../backends/contract.ts";
import { parseTicket } from "../leases/ticket.ts";
import { wallNow } from "../timers.ts";

/** A Holdfast client that holds a lock. */
export interface LockHolder {
  /** Identifies this hold. */
  readonly ticket: string;
  /** The name of its machine. */
  readonly host: string;
  /** The id of its process. */
  readonly pid: number;
  /** Whether this store holds it. */
  readonly here: boolean;
}

/** A client that does not use Holdfast's protocol and holds the lock by its own token. */
export interface ForeignHolder {
  /** The token, as that client stored it. */
  readonly foreign: string;
}

/** One of the holders of a shared lock. */
export interface SharedHolder extends LockHolder {
  /** The first fence of its grant. */
  readonly fence: number;
  /** Milliseconds until its lease ends if it is not renewed. */
  readonly expiresInMs: number;
}

/** What is known about a lock that is held. */
export interface LockInfo {
  /** The id of the lock. */
  readonly id: string;
  /** Who holds it; of several holders, the one whose lease ends first. */
  readonly holder: LockHolder | ForeignHolder;
  /** The first fence of the holder's grant; `null` for a foreign holder. */
  readonly fence: number | null;
  /** Milliseconds until the lease ends if it is not renewed; `null`: it never ends. */
  readonly expiresInMs: number | null;
  /**
   * Since when the holder has had this grant, by the clock of this process: the server says how long ago that was, and the
   * reply takes a while, so it is late by less than the time of the call. `null`: not known, as for a foreign holder.
   */
  readonly acquiredAt: Date | null;
  /** How many processes wait for it. */
  readonly waiters: number;
  /** All holders, if it is shared, of which `holder` is the one whose lease ends first; absent if it is held exclusively. */
  readonly holders?: readonly SharedHolder[];
}

/** Converts a backend's entry for users. */
export function lockInfo(entry: LockEntry, clientId: string): LockInfo {
  const { token, foreign } = entry.holder;
  return {
    id: entry.id,
    holder: foreign ? { foreign: token } : lockHolder(token, clientId),
    fence: entry.fence,
    expiresInMs: entry.expiresInMs,
    acquiredAt: entry.heldForMs === undefined ? null : new Date(wallNow() - entry.heldForMs),
    waiters: entry.waiters,
    ...(entry.shares && { holders: entry.shares.map((share) => sharedHolder(share, clientId)) }),
  };
}

function lockHolder(ticket: string, clientId: string): LockHolder {
  const { host, pid, clientId: by } = parseTicket(ticket);
  return { ticket, host, pid, here: by === clientId };
}

export function sharedHolder({ token, fence, expiresInMs }: ShareEntry, clientId: string): SharedHolder {
  return { ...lockHolder(token, clientId), fence, expiresInMs };
}
