// The tickets and receipts of a sequence of calls: each ticket has a sequence, which is free again when the ticket is over.

import type { Receipt } from "../../src/backends/contract.ts";

export interface Sequence {
  readonly index: number;
  n: number;
}

export interface TestTicket {
  readonly client: number;
  readonly number: number;
  readonly id: string;
  readonly sequence: Sequence;
  n: number;
  /** Released or cancelled. */
  isOver: boolean;
}

export class Tickets {
  readonly #tickets: TestTicket[] = [];
  readonly #freeSequences: Sequence[][] = [[], [], []];
  #sequences = 0;

  make(client: number, id: string): TestTicket {
    const sequence = this.takeSequence(client);
    const ticket = { client, number: this.#tickets.length, id, sequence, n: sequence.n, isOver: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** The ticket so many before the last one; `live`: of those that are not over. */
  pick(back: number, live: boolean): TestTicket | undefined {
    const tickets = live ? this.#tickets.filter(({ isOver }) => !isOver) : this.#tickets;
    return tickets.at(-1 - (tickets.length === 0 ? 0 : back % tickets.length));
  }

  takeSequence(client: number): Sequence {
    const sequence = this.#freeSequences[client]!.pop() ?? { index: this.#sequences++, n: 0 };
    sequence.n += 1;
    return sequence;
  }

  free(client: number, sequence: Sequence): void {
    this.#freeSequences[client]!.push(sequence);
  }
}

export function receiptOf(sequence: number, n: number): Receipt {
  return { sequence, n, keepMs: 86_400_000 };
}
