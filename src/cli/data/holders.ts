/** Who holds a lock, for people and as JSON. */
import type { LockEntry } from "../../backends/contract.ts";
import type { LockInfo } from "../../handles/lock-info.ts";
import { parseTicket } from "../../leases/ticket.ts";
import { durationText } from "../durations.ts";

/** A holder as JSON: a Holdfast client, or the token of another program. */
export type HolderView =
  { readonly ticket: string; readonly host: string; readonly pid: number } | { readonly foreign: string };

/** One of the holders of a lock. */
export interface HeldView {
  readonly holder: HolderView;
  /** The first and the last of its fences; `null`: it is another program. */
  readonly fence: number | null;
  readonly lastFence: number | null;
  /** `null`: its lease never ends. */
  readonly expiresInMs: number | null;
}

export interface LockView {
  readonly id: string;
  readonly shared: boolean;
  /** One, unless the lock is shared. */
  readonly holders: readonly HeldView[];
  readonly waiters: number;
}

export function lockView({ id, holder, shares, waiters, ...rest }: LockEntry): LockView {
  const { fence, lastFence, expiresInMs } = rest;
  const all: HeldView[] = shares?.map((share) => ({
    holder: ticketView(share.token),
    fence: share.fence,
    lastFence: share.lastFence,
    expiresInMs: share.expiresInMs,
  })) ?? [
    {
      holder: holder.foreign ? { foreign: holder.token } : ticketView(holder.token),
      fence,
      lastFence,
      expiresInMs,
    },
  ];
  return { id, shared: shares !== undefined, holders: all, waiters };
}

function ticketView(ticket: string): HolderView {
  const { host, pid } = parseTicket(ticket);
  return { ticket, host, pid };
}

export function holderText(holder: HolderView | LockInfo["holder"]): string {
  return "foreign" in holder
    ? `token ${JSON.stringify(holder.foreign)}`
    : `${holder.host}:${String(holder.pid)}`;
}

/** What a backend knows the holder by. */
export function tokenOf(holder: HolderView): string {
  return "foreign" in holder ? holder.foreign : holder.ticket;
}

/** `host:12 (fence 17, lease 9.5 s)` */
export function heldText({ holder, fence, expiresInMs }: Omit<HeldView, "lastFence">): string {
  const lease = expiresInMs === null ? "no lease" : `lease ${durationText(expiresInMs)}`;
  return `${holderText(holder)} (${fence === null ? "" : `fence ${String(fence)}, `}${lease})`;
}
