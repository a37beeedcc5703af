// The tickets and receipts of a sequence of calls: each ticket has a sequence, which is free again when the ticket is over.

import type { Receipt, Share } from "../../src/backends/contract.ts";
import type { Op } from "./oracle-ops.ts";

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
  /** Its last ask was granted. */
  isGranted: boolean;
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
    const ticket = { client, number, id, share, sequence, n: sequence.n, isOver: false, isGranted: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** The ticket so many before the last one; `live`: of those that are not over. */
  pick(back: number, live: boolean): TestTicket | undefined {
    return before(live ? this.#tickets.filter(({ isOver }) => !isOver) : this.#tickets, back);
  }

  /** Another ticket that is not over, of the same client and place, on an id of its own; so many before the last one. */
  pickBeside(those: readonly [TestTicket, ...TestTicket[]], back: number): TestTicket | undefined {
    const [{ client, id }] = those;
    const place = this.#placeOf(id);
    const beside = this.#tickets.filter(
      (one) => !one.isOver && one.client === client && this.#placeOf(one.id) === place,
    );
    return before(
      beside.filter((one) => those.every(({ id }) => id !== one.id)),
      back,
    );
  }

  /** The most tickets of one client and one place that were granted, on an id each; none if there are none. */
  grantedTogether(): readonly TestTicket[] {
    const granted = this.#tickets.filter(({ isOver, isGranted, share }) => isGranted && !isOver && !share);
    let most: readonly TestTicket[] = [];
    for (const { client, id } of granted) {
      const place = this.#placeOf(id);
      const own = granted.filter((one) => one.client === client && this.#placeOf(one.id) === place);
      const byId = new Map(own.map((one) => [one.id, one]));
      if (byId.size >= most.length) most = [...byId.values()];
    }
    return most;
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

function before(tickets: readonly TestTicket[], back: number): TestTicket | undefined {
  return tickets.at(-1 - (tickets.length === 0 ? 0 : back % tickets.length));
}

export function receiptOf(sequence: number, n: number): Receipt {
  return { sequence, n, keepMs: 86_400_000 };
}

export const semaphore = "\u0001semaphore:x";

/** What a fresh ticket asks for. `id`: the one that is picked if it is a lock's. */
export function wishOf(
  { share }: Extract<Op, { op: "ask" }>,
  id: string,
): { readonly id: string; readonly share: Share | undefined } {
  if (share === "exclusive") return { id, share: undefined };
  if (share === "shared") return { id, share: { kind: "shared" } };
  return { id: semaphore, share: { kind: "permits", ...share } };
}
