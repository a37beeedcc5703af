/**
 * The error of a caller that waited too long for a lock: it says who holds the lock, since when, how many wait, what the
 * caller holds itself, and what to do about it.
 */
import type { Holder } from "../../backends/contract.ts";
import { type BlockingHolder, LockTimeoutError, quoted, shownId } from "../../errors.ts";
import type { TicketRegistry } from "../../leases/ticket-registry.ts";
import { parseTicket, thisProcess } from "../../leases/ticket.ts";
import { isInternal } from "../../names.ts";
import { heldIds } from "../../ownership/held-grants.ts";
import type { Request } from "../request.ts";

/** A caller that holds more is told their number. */
const maxShown = 5;

/** For a caller whose own store holds the lock. */
export const adviceToOwner = ". If your own code holds it, call from inside lock.run(fn) or pass { grant }";

/** What is known about a lock when a caller gives up. */
export interface KnownHolder {
  /** As last reported; `undefined`: no reply has named another ticket. */
  readonly holder: Holder | undefined;
  readonly heldForMs?: number | undefined;
  /** How many others wait: tickets of other clients, and calls of this one. */
  readonly waiters?: number | undefined;
}

export function timeoutError(
  id: string,
  request: Request,
  { known, tickets }: { readonly known: KnownHolder; readonly tickets: TicketRegistry },
): LockTimeoutError {
  const { clientId } = tickets.calls.backend;
  const { waitMs } = request;
  const waited = waitMs === 0 ? "was not free" : `was not free within waitMs (${waitMs} ms)`;
  const holder = holderFor(known.holder, clientId);
  const about = `${describe(holder)}${sinceWhen(known)}${howManyWait(known)}${adviceTo(holder, id)}`;
  return new LockTimeoutError(
    `The lock ${quoted(id)} ${waited}: ${about}.${whatCallerHolds(tickets.store, request)}`,
    {
      id: shownId(id),
      holder: holder ?? { ...thisProcess(), here: true },
      heldForMs: known.heldForMs,
      waiters: known.waiters,
      holding: idsOfCaller(tickets.store, request).map(shownId),
    },
  );
}

/** What the caller of a request holds: a sentence to add to its error, or nothing. */
function whatCallerHolds(store: object, request: Request): string {
  const ids = idsOfCaller(store, request).map(quoted);
  if (ids.length === 0) return "";
  const shown = ids.slice(0, maxShown).join(", ");
  const more = ids.length > maxShown ? ` and ${ids.length - maxShown} more` : "";
  return ` Its caller holds the lock${ids.length === 1 ? "" : "s"} ${shown}${more}.`;
}

function idsOfCaller(store: object, { context, acquired = [] }: Request): string[] {
  const live = acquired.filter(({ isLive }) => isLive).map(({ id }) => id);
  return [...new Set([...heldIds(store, context).reverse(), ...live])];
}

/** `undefined`: this store. */
function holderFor(holder: Holder | undefined, clientId: string): BlockingHolder | undefined {
  if (holder === undefined) return undefined;
  if (holder.foreign) return { foreign: holder.token };
  const ticket = parseTicket(holder.token);
  return ticket.clientId === clientId ? undefined : { host: ticket.host, pid: ticket.pid, here: false };
}

function describe(holder: BlockingHolder | undefined): string {
  if (holder === undefined) return "it is held by this store in this process";
  if ("foreign" in holder)
    return `it is held by a foreign client (token ${JSON.stringify(holder.foreign.slice(0, 60))})`;
  return `it is held by process ${holder.pid} on ${holder.host}`;
}

function sinceWhen({ heldForMs }: KnownHolder): string {
  if (heldForMs === undefined) return "";
  return heldForMs < 1_000 ? `, for ${heldForMs} ms` : `, for ${(heldForMs / 1_000).toFixed(1)} s`;
}

function howManyWait({ waiters = 0 }: KnownHolder): string {
  if (waiters === 0) return "";
  return waiters === 1 ? ", and 1 other waits for it" : `, and ${waiters} others wait for it`;
}

function adviceTo(holder: BlockingHolder | undefined, id: string): string {
  if (holder !== undefined || isInternal(id)) return "";
  return adviceToOwner;
}
