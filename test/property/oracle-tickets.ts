// The tickets and receipts of a sequence of calls: each ticket has a sequence, which is free again when the ticket is over.

import type { Receipt, Share } from "../../src/backends/contract.ts";

export interface Sequence {
  readonly index: number;
  n: number;
}

export interface TestTicket {
  readonly client: number;
  readonly number: number;
  readonly id: string;
  /** What it asks for; `undefined`: the lock. */
  readonly share: Share | undefined;
  readonly sequence: Sequence;
  n: number;
  /** Released or cancelled. */
  isOver: boolean;
}

export class Tickets {
  readonly #tickets: TestTicket[] = [];
  readonly #freeSequences = new Map<string, Sequence[]>();
  readonly #placeOf: (id: string) => number;
  #sequences = 0;

  /** `placeOf`: ids of different places share no sequence; a late copy on one of them knows nothing of the others. */
  constructor(placeOf: (id: string) => number = () => 0) {
    this.#placeOf = placeOf;
  }

  make({ client, id, share }: Pick<TestTicket, "client" | "id" | "share">): TestTicket {
    const sequence = this.takeSequence(client, id);
    const number = this.#tickets.length;
    const ticket = { client, number, id, share, sequence, n: sequence.n, isOver: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** The ticket so many before the last one; `live`: of those that are not over. */
  pick(back: number, live: boolean): TestTicket | undefined {
    const tickets = live ? this.#tickets.filter(({ isOver }) => !isOver) : this.#tickets;
    return tickets.at(-1 - (tickets.length === 0 ? 0 : back % tickets.length));
  }

  takeSequence(client: number, id: string): Sequence {
    const sequence = this.#free(client, id).pop() ?? { index: this.#sequences++, n: 0 };
    sequence.n += 1;
    return sequence;
  }

  free(client: number, id: string, sequence: Sequence): void {
    this.#free(client, id).push(sequence);
  }

  #free(client: number, id: string): Sequence[] {
    const key = `${client} ${this.#placeOf(id)}`;
    const free = this.#freeSequences.get(key) ?? [];
    this.#freeSequences.set(key, free);
    return free;
  }
}

export function receiptOf(sequence: number, n: number): Receipt {
  return { sequence, n, keepMs: 86_400_000 };
}
