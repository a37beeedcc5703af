// The tickets and receipts of a sequence of calls: each ticket has a slot, which is free again when the ticket is over.

import type { Receipt } from "../../src/backends/contract.ts";

export interface Slot {
  readonly index: number;
  n: number;
}

export interface TestTicket {
  readonly client: number;
  readonly number: number;
  readonly id: string;
  readonly slot: Slot;
  n: number;
  /** Released or cancelled. */
  isOver: boolean;
}

export class Tickets {
  readonly #tickets: TestTicket[] = [];
  readonly #freeSlots: Slot[][] = [[], [], []];
  #slots = 0;

  make(client: number, id: string): TestTicket {
    const slot = this.takeSlot(client);
    const ticket = { client, number: this.#tickets.length, id, slot, n: slot.n, isOver: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** The ticket so many before the last one; `live`: of those that are not over. */
  pick(back: number, live: boolean): TestTicket | undefined {
    const tickets = live ? this.#tickets.filter(({ isOver }) => !isOver) : this.#tickets;
    return tickets.at(-1 - (tickets.length === 0 ? 0 : back % tickets.length));
  }

  takeSlot(client: number): Slot {
    const slot = this.#freeSlots[client]!.pop() ?? { index: this.#slots++, n: 0 };
    slot.n += 1;
    return slot;
  }

  free(client: number, slot: Slot): void {
    this.#freeSlots[client]!.push(slot);
  }
}

export function receiptOf(slot: number, n: number): Receipt {
  return { slot, n, keepMs: 86_400_000 };
}
