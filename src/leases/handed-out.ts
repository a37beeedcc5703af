/**
 * The holds of this process whose tokens were given away. Another store of the same process may adopt one of them, and
 * its holder is told at once, also where no wakes are pushed.
 */
import type { Ticket } from "../backends/contract.ts";
import { onePerProcess } from "../process/one-per-process.ts";

interface HandedOut {
  lose(reason: string): void;
}

const holds = onePerProcess("handed-out", 1, () => new Map<Ticket, HandedOut>());

export function noteHandedOut(ticket: Ticket, hold: HandedOut): void {
  holds.set(ticket, hold);
}

export function forgetHandedOut(ticket: Ticket): void {
  holds.delete(ticket);
}

/** The lock was taken from this ticket by its token. */
export function wasAdopted(ticket: Ticket): void {
  holds.get(ticket)?.lose("it was adopted elsewhere, by its token");
}
