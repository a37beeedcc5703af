// What clients note: which of their tickets wait for which others [L15].

import type { WaitNote } from "../../src/backends/contract.ts";
import type { Comparison } from "./oracle-comparison.ts";
import type { Entry } from "./oracle-history.ts";
import type { Op } from "./oracle-ops.ts";
import type { Tickets, TestTicket } from "./oracle-tickets.ts";

export class Noting {
  readonly #options: Comparison;
  readonly #tickets: Tickets;
  #calls = 1;
  /** The greatest `n` that each client has used, and has used in each place. */
  readonly #latest = new Map<string, number>();

  constructor(options: Comparison, tickets: Tickets) {
    this.#options = options;
    this.#tickets = tickets;
  }

  /** All notes of a call are of one client, and about one place. */
  entry({ notes, late }: Extract<Op, { op: "note" }>): Entry | undefined {
    const all = notes.flatMap(({ ticket, asks }) => {
      const hold = this.#tickets.pick(ticket, true);
      const waits = asks.map((pick) => this.#tickets.pick(pick, true)).filter((ask) => ask !== undefined);
      return hold === undefined ? [] : [{ hold, waits }];
    });
    const first = all[0]?.hold;
    if (first === undefined) return undefined;
    const { client, id } = first;
    const placeOf = this.#options.placeOf ?? (() => 0);
    const own = all.filter(({ hold }) => hold.client === client && placeOf(hold.id) === placeOf(id));
    const n = late ? this.#calls - 1 : (this.#calls += 1);
    return {
      id,
      call: (side) => {
        const { clients } = side === 0 ? this.#options.reference : this.#options.subject;
        const named = (ticket: TestTicket) => ({
          id: ticket.id,
          ticket: `host:1:${clients[ticket.client]!.clientId}:${ticket.number}`,
        });
        const wanted = own.map(({ hold, waits }): WaitNote => ({ ...named(hold), asks: waits.map(named) }));
        const orders = [String(client), `${String(client)} in ${String(placeOf(id))}`];
        const [overall, here] = orders.map((order) => n < (this.#latest.get(order) ?? 0));
        // Late, but not in its own place: one memory sees that, a shard does not.
        if (overall !== here) return Promise.resolve();
        if (side === 1 && overall === false) for (const order of orders) this.#latest.set(order, n);
        return clients[client]!.noteWaits(wanted, { n, keepMs: 86_400_000 });
      },
      done: () => {},
    };
  }
}
