/**
 * Encodes the operations of one script as its arguments, which scripts/lib/operations.lua reads. Several are the first
 * argument, one flat JSON array. A single one, which is the usual case, consists of separate arguments after the
 * others.
 *
 * Lua decodes a flat array of short strings fastest, since it builds a table for each array and hashes every byte of
 * each string. Arguments need no decoding at all. So the common beginning of a client's tickets is sent once, and so
 * are the terms: fields that many operations have in common, such as a lease.
 */
import type { RedisArgument } from "../client/client-port.ts";
import type { Field, OperationFields } from "../protocol/operation.ts";

/** The arguments for a single operation, with the other arguments of the script. */
export function argumentsAlone(
  { id, ticket, own, terms }: OperationFields,
  others: readonly RedisArgument[],
): readonly RedisArgument[] {
  const start = ticket.lastIndexOf(":") + 1;
  const args = [String(others.length + 2), ...others, ticket.slice(0, start), "1", id, ticket.slice(start)];
  for (const field of own) args.push(String(field));
  args.push("0"); // where its terms begin, counted from where they may
  for (const term of terms) args.push(String(term));
  return args;
}

export class OperationEncoder {
  /** The base, the count, then the operations one after another. */
  readonly #flat: Field[] = ["", 0];
  /** The sets of terms one after another, all of the length that this script uses. */
  readonly #terms: Field[] = [];
  #base: string | undefined;
  #count = 0;

  /** Returns whether it was accepted: all tickets of one script have the same base. */
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

  /** With the other arguments of the script. */
  argumentsWith(others: readonly RedisArgument[]): readonly RedisArgument[] {
    const flat = this.#flat;
    flat[0] = this.#base ?? "";
    flat[1] = this.#count;
    for (const term of this.#terms) flat.push(term);
    return [JSON.stringify(flat), ...others];
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
