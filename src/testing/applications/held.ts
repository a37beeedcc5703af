/** Finds what a test holds, by its fences, among the rows of the memory backend. */
import type { Ticket } from "../../backends/contract.ts";
import type { Memory } from "../../backends/memory/backend.ts";
import { InvalidArgumentError } from "../../errors.ts";
import { show } from "../../parse-options.ts";

/** What can be lost: a grant of a lock, of several, or of a semaphore; an attempt of a once; a term of a leader. */
export type Held =
  | {
      /** Of a grant, an attempt or a term. */
      readonly fence: number;
    }
  | {
      /** Of a grant of several locks: by id. */
      readonly fences: Readonly<Record<string, number>>;
    };

export function fencesOf(held: Held): readonly number[] {
  const { fence, fences, then } = Object(held) as Readonly<Record<string, unknown>>; // also of `undefined`
  if (typeof fence === "number") return [fence];
  if (typeof fences === "object" && fences !== null) return Object.values(fences as Record<string, number>);
  const got = typeof then === "function" ? "a promise; await it" : show(held);
  throw new InvalidArgumentError(
    `lose() takes a grant, an attempt of a once, a term of a leader, or the context of an update; got ${got}.`,
  );
}

/** The tickets that hold something with one of these fences. Each hold has reserved a range of them for itself [L3]. */
export function ticketsOf(memory: Memory, fences: readonly number[]): { id: string; ticket: Ticket }[] {
  const found: { id: string; ticket: Ticket }[] = [];
  for (const [id, row] of memory.locks) {
    const rows = row.ticket === null ? [...(memory.holders.get(id)?.values() ?? [])] : [row];
    for (const { ticket, fence, fences: reserved } of rows)
      if (fences.some((one) => one >= fence && one < fence + reserved)) found.push({ id, ticket });
  }
  return found;
}
