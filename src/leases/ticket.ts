/** Tickets as text: `<host>:<pid>:<client id>:<n>`, unique, without spaces, made before the first try. */
import { hostname } from "node:os";
import type { Ticket } from "../backends/contract.ts";

/** What a ticket says of whoever made it. */
export interface TicketParts {
  readonly host: string;
  readonly pid: number;
  readonly clientId: string;
}

/** Only for people, so that an odd or long name may be shortened. */
const host =
  hostname()
    .replace(/[^A-Za-z0-9._-]/g, "_")
    .slice(0, 64) || "unknown";

/** The last digits of a ticket's number say in which slot its turn is kept; those before them rise. */
const slotDigits = 7;

/** Makes the tickets of one client. */
export class TicketMaker {
  readonly #start: string;
  readonly #ends: string[] = [];
  #last = 0;

  constructor(clientId: string) {
    this.#start = `${host}:${process.pid}:${clientId}:`;
  }

  make(slot: number): Ticket {
    this.#last += 1;
    return `${this.#start}${this.#last}${(this.#ends[slot] ??= this.#end(slot))}`;
  }

  #end(slot: number): string {
    const digits = String(slot).padStart(slotDigits, "0");
    if (digits.length > slotDigits) throw new Error(`HOLDFAST_TOO_MANY_TURNS: ${slot}`);
    return digits;
  }
}

/** Where the turn of a ticket of this client is kept, if it is. */
export function slotOf(ticket: Ticket): number {
  return Number(ticket.slice(-slotDigits));
}

export function parseTicket(ticket: Ticket): TicketParts {
  const [name = "", pid = "", clientId = ""] = ticket.split(":");
  return { host: name, pid: Number(pid), clientId };
}
