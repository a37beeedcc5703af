/** Tickets as text: `<host>:<pid>:<client id>:<n>`, unique, without spaces, made before the first try. */
import { hostname } from "node:os";
import type { Ticket } from "../backends/backend.ts";

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

export function makeTicket(clientId: string, n: number): Ticket {
  return `${host}:${process.pid}:${clientId}:${n}`;
}

export function parseTicket(ticket: Ticket): TicketParts {
  const [name = "", pid = "", clientId = ""] = ticket.split(":");
  return { host: name, pid: Number(pid), clientId };
}
