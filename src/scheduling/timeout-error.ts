/** The error of a caller that waited too long for a lock: it says who holds the lock, and what to do about it. */
import type { Holder } from "../backends/contract.ts";
import { LockTimeoutError, quoted } from "../errors.ts";
import { parseTicket } from "../leases/ticket.ts";
import { isInternal } from "../names.ts";

/** `holder`: as last reported; `undefined`: no reply has named another ticket. */
export function timeoutError(wait: {
  readonly id: string;
  readonly waitMs: number;
  readonly holder: Holder | undefined;
  /** The client that waited. */
  readonly clientId: string;
}): LockTimeoutError {
  const { id, clientId } = wait;
  const waited = wait.waitMs === 0 ? "was not free" : `was not free within waitMs (${wait.waitMs} ms)`;
  return new LockTimeoutError(
    `The lock ${quoted(id)} ${waited}: ${describe(wait.holder, { clientId, ofUser: !isInternal(id) })}.`,
  );
}

function describe(
  holder: Holder | undefined,
  { clientId, ofUser }: { readonly clientId: string; readonly ofUser: boolean },
): string {
  const advice = ". If your own code holds it, call from inside lock.run(fn) or pass { grant }";
  const self = `it is held by this store in this process${ofUser ? advice : ""}`;
  if (holder === undefined) return self;
  if (holder.foreign)
    return `it is held by a foreign client (token ${JSON.stringify(holder.token.slice(0, 60))})`;
  const ticket = parseTicket(holder.token);
  if (ticket.clientId === clientId) return self;
  return `it is held by process ${ticket.pid} on ${ticket.host}`;
}
