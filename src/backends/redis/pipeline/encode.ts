/**
 * The operations of a script that serves many, as its first argument: scripts/lib/operations.lua reads it.
 *
 * One flat array of short strings is what Lua takes in fastest, since it builds a table for each array and hashes every
 * byte of each string. So what all tickets of a client begin with is there once, and what many operations have in common (a lease, a wish) is there
 * once for all of them: their terms.
 */
import type { Ticket } from "../../contract.ts";

/** Text, except for what a script counts with. */
export type Field = string | number;

export interface OperationFields {
  readonly id: string;
  readonly ticket: Ticket;
  /** As the header of the script names them, after id and number. */
  readonly own: readonly Field[];
  readonly terms: readonly Field[];
}

export class Operations {
  /** base count, then operation by operation. */
  readonly #flat: Field[] = ["", 0];
  /** Set after set, all of one length: that of this script's terms. */
  readonly #terms: Field[] = [];
  #base: string | undefined;
  #count = 0;

  /** Is it taken? All tickets of one script have the same base. */
  add({ id, ticket, own, terms }: OperationFields): boolean {
    const start = ticket.lastIndexOf(":") + 1;
    if (this.#base === undefined) this.#base = ticket.slice(0, start);
    else if (this.#base.length !== start || !ticket.startsWith(this.#base)) return false;
    this.#count += 1;
    const flat = this.#flat;
    flat.push(id, ticket.slice(start));
    for (const field of own) flat.push(field);
    flat.push(this.#placeOf(terms));
    return true;
  }

  toString(): string {
    this.#flat[0] = this.#base ?? "";
    this.#flat[1] = this.#count;
    return JSON.stringify(this.#terms.length === 0 ? this.#flat : [...this.#flat, ...this.#terms]);
  }

  #placeOf(terms: readonly Field[]): number {
    const all = this.#terms;
    let place = 0;
    while (place < all.length && !this.#isAt(place, terms)) place += terms.length;
    if (place === all.length) all.push(...terms);
    return place;
  }

  #isAt(place: number, terms: readonly Field[]): boolean {
    for (let index = 0; index < terms.length; index += 1) {
      if (this.#terms[place + index] !== terms[index]) return false;
    }
    return true;
  }
}
