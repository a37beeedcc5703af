/**
 * Many operations as the first argument of one script, which scripts/lib/operations.lua reads: one flat JSON array.
 *
 * A flat array of short strings is what Lua decodes fastest, since it builds a table for each array and hashes every
 * byte of each string. So the common beginning of a client's tickets is sent once, and so are fields that many
 * operations have in common (a lease, a wish): their terms.
 */
import type { Field, OperationFields } from "../protocol/operation.ts";

export class OperationEncoder {
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
