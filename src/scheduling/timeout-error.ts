/** The error of a caller that waited too long for a lock: it says who holds the lock, and what to do about it. */
import type { Holder } from "../backends/contract.ts";
import { LockTimeoutError, quoted } from "../errors.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { parseTicket } from "../leases/ticket.ts";
import { isInternal } from "../names.ts";
import { heldIds } from "../ownership/held-grants.ts";
import type { Request } from "./request.ts";

/** A caller that holds more is told their number. */
const maxShown = 5;

/** `holder`: as last reported; `undefined`: no reply has named another ticket. */
export function timeoutError(
  id: string,
  request: Request,
  { holder, tickets }: { readonly holder: Holder | undefined; readonly tickets: TicketRegistry },
): LockTimeoutError {
  const { clientId } = tickets.calls.backend;
  const { waitMs } = request;
  const waited = waitMs === 0 ? "was not free" : `was not free within waitMs (${waitMs} ms)`;
  return new LockTimeoutError(
    `The lock ${quoted(id)} ${waited}: ${describe(holder, { clientId, ofUser: !isInternal(id) })}.` +
      whatCallerHolds(tickets.store, request),
  );
}

/** What the caller of a request holds: a sentence to add to its error, or nothing. */
export function whatCallerHolds(store: object, { context, acquired = [] }: Request): string {
  const live = acquired.filter(({ isLive }) => isLive).map(({ id }) => id);
  const ids = [...new Set([...heldIds(store, context).reverse(), ...live])].map(quoted);
  if (ids.length === 0) return "";
  const shown = ids.slice(0, maxShown).join(", ");
  const more = ids.length > maxShown ? ` and ${ids.length - maxShown} more` : "";
  return ` Its caller holds the lock${ids.length === 1 ? "" : "s"} ${shown}${more}.`;
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
