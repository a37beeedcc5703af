/**
 * The ids that are copied: those of users' states, and those under which the results of a once are kept. What else
 * Holdfast keeps for itself belongs to one place: what a leader announces counts only with the lock that it holds there.
 */
import type { StateEntry } from "../../backends/contract.ts";
import { InvalidArgumentError, shownId } from "../../errors.ts";
import { internalId, isInternal, parseId, partsOfInternal } from "../../names.ts";
import type { Part } from "../../resharding/part.ts";

/** `undefined`: a state of users. */
export type Kind = "once" | undefined;

/** An id as users know it, with what it is the id of. */
export interface NamedId {
  readonly kind: Kind;
  readonly id: string;
}

/** A state that a listing has found. */
export interface Found {
  readonly id: string;
  /** `undefined`: the listing skipped it. */
  readonly entry: StateEntry | undefined;
}

/** `undefined`: it is not copied. */
export function namedId(id: string): NamedId | undefined {
  if (!isInternal(id)) return { kind: undefined, id };
  const parts = partsOfInternal(id);
  return parts?.kind === "once" ? { kind: "once", id: parts.id } : undefined;
}

/** The id under which it is stored. Throws InvalidArgumentError if no user can have it. */
export function storedId({ kind, id }: { readonly kind?: unknown; readonly id?: unknown }): string {
  const own = parseId(id, "The id");
  if (kind === undefined) return own;
  if (kind === "once") return internalId(kind, own);
  throw new InvalidArgumentError('The kind must be "once", or omitted for a state.');
}

/** For messages: `"welcome:42"`, or `once "welcome:42"`. */
export function labelOf(id: string): string {
  return isInternal(id) ? shownId(id) : JSON.stringify(id);
}

/** All that begin with this, each once, while they are listed. Remembers the ids, not the states. */
export async function* foundStates(part: Part, idPrefix: string): AsyncGenerator<Found> {
  const prefixes = idPrefix === "" ? [""] : [idPrefix, internalId("once", idPrefix)];
  const seen = new Set<string>();
  const isNew = (id: string): boolean => namedId(id) !== undefined && seen.size !== seen.add(id).size;
  for (const prefix of prefixes) {
    for await (const { entries, skipped } of part.statePages(prefix)) {
      for (const entry of entries) if (isNew(entry.id)) yield { id: entry.id, entry };
      for (const id of skipped) if (isNew(id)) yield { id, entry: undefined };
    }
  }
}
