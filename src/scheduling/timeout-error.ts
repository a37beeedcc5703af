/** The error of whoever waited for a lock too long: it says who holds the lock, and what to do about it. */
import type { Holder } from "../backends/contract.ts";
import { LockTimeoutError } from "../errors.ts";
import type { Room } from "../leases/room.ts";
import { parseTicket } from "../leases/ticket.ts";

export function timeoutError(
  room: Room,
  wait: { readonly id: string; readonly waitMs: number; readonly holder: Holder | undefined },
): LockTimeoutError {
  const waited =
    wait.waitMs === 0 ? "was not free at once" : `was not free within waitMs (${wait.waitMs} ms)`;
  return new LockTimeoutError(
    `The lock ${JSON.stringify(wait.id)} ${waited}: ${describe(room, wait.holder)}.`,
  );
}

/** A branch under the same grant had it all the time. */
export function siblingTimeoutError(id: string, waitMs: number): LockTimeoutError {
  return new LockTimeoutError(
    `The lock ${JSON.stringify(id)} is yours, but another branch of the same owner was busy under it` +
      `${waitMs === 0 ? "" : ` for waitMs (${waitMs} ms)`}: branches of one owner exclude each other.`,
  );
}

function describe(room: Room, holder: Holder | undefined): string {
  const self =
    `it is held in this process by this very store. If the caller is the holder, run inside lock.run(fn), ` +
    `or pass { grant }`;
  if (holder === undefined) return self; // no other ticket was ever named: one of ours has it
  if (holder.foreign)
    return `it is held by a foreign client (token ${JSON.stringify(holder.token.slice(0, 60))})`;
  const ticket = parseTicket(holder.token);
  if (ticket.clientId === room.conversations.backend.clientId) return self;
  return `it is held by process ${ticket.pid} on ${ticket.host}`;
}
