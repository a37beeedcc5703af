/**
 * Tickets: strings `<host>:<pid>:<client id>:<n>`, unique, without spaces, made before the first ask. Makes this
 * client's and parses all. Behind the host, `+<mark>` says which process it is, if that can be known: see
 * dead-holders/process-mark.ts.
 */
import { hostname } from "node:os";
import type { Share, Ticket } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import type { Sequence } from "../calls/receipt-sequences.ts";
import { markText, ownMark, parseMark, type ProcessMark } from "./dead-holders/process-mark.ts";
import type { StorePlace } from "./grant-token.ts";

/** A ticket of this store: the parts that do not change from before its first ask until it is settled. */
export interface OwnTicket {
  /** The id of the lock. */
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
  /** Whether its lease is renewed once it is held. */
  readonly renews: boolean;
  /** What it has of the lock, or asks for; `undefined`: the whole of it. */
  readonly share: Share | undefined;
  /** Operations with this ticket belong to this sequence. */
  readonly sequence: Sequence;
  readonly store: StoreOfTickets;
}

/** Identifies an opened store in async contexts. */
export interface StoreOfTickets {
  readonly calls: BackendCalls;
  /** For tokens. */
  readonly place: StorePlace;
  /** Aborts when it begins to close. */
  readonly closing: AbortSignal;
  /** The lease of this ticket, which is held, has changed. */
  watchAgain(ticket: OwnTicket): void;
  /** If the machine has slept, all its holds are unsure from now on. */
  lookForSleep(): void;
}

export interface RegistryOptions {
  /** Whether others may pass over the holds of this store once this process is gone. */
  readonly isMarked: boolean;
  /** The caller keeps it. */
  readonly closing: AbortController;
  /** Default: nothing is known of it. */
  readonly place?: StorePlace | undefined;
}

/** What a ticket says about the client that made it. */
export interface TicketParts {
  readonly host: string;
  readonly pid: number;
  readonly clientId: string;
  /** Of the process; `undefined`: nothing is known about it. */
  readonly mark: ProcessMark | undefined;
}

/** For people only, so an unusual or long name may be shortened. */
const host =
  hostname()
    .replace(/[^A-Za-z0-9._-]/g, "_")
    .slice(0, 64) || "unknown";

/** The last digits of a ticket's number are the index of its sequence; those before them rise. */
const indexDigits = 7;

/** Makes the tickets of one client. */
export class TicketMaker {
  readonly #start: string;
  readonly #startUnmarked: string;
  readonly #ends: string[] = [];
  #last = 0;

  /** `isMarked`: whether its tickets say which process this is. */
  constructor(clientId: string, isMarked: boolean) {
    const mark = isMarked ? ownMark() : undefined;
    const end = `:${process.pid}:${clientId}:`;
    this.#startUnmarked = `${host}${end}`;
    this.#start = mark === undefined ? this.#startUnmarked : `${host}+${markText(mark)}${end}`;
  }

  /** `outlives`: what it holds may outlive this process, so it has no mark. */
  make(index: number, outlives = false): Ticket {
    this.#last += 1;
    return `${outlives ? this.#startUnmarked : this.#start}${this.#last}${(this.#ends[index] ??= this.#end(index))}`;
  }

  #end(index: number): string {
    const digits = String(index).padStart(indexDigits, "0");
    if (digits.length > indexDigits) throw new Error(`HOLDFAST_TOO_MANY_TICKETS: ${index}`);
    return digits;
  }
}

/** As the tickets of this process name it. */
export function thisProcess(): Pick<TicketParts, "host" | "pid"> {
  return { host, pid: process.pid };
}

/** The index of the sequence of one of this client's tickets. */
export function indexOf(ticket: Ticket): number {
  return Number(ticket.slice(-indexDigits));
}

export function parseTicket(ticket: Ticket): TicketParts {
  const [place = "", pid = "", clientId = ""] = ticket.split(":");
  const [name = "", mark] = place.split("+");
  return { host: name, pid: Number(pid), clientId, mark: parseMark(mark) };
}
