/**
 * The mark on each shard of a store: which shard of how many it is.
 *
 * It is an ordinary state under an id that no user can have, so that every backend can keep it. A backend that is opened
 * as a whole store looks for it when it connects, and refuses to work where it is. `shards/` writes and compares it.
 * Its text is a stored format: a change of it is a change of what older versions understand.
 */
import { InvalidArgumentError } from "../errors.ts";
import type { LoadedState, SaveWrite } from "./contract.ts";

/** Users' ids do not begin with `}`. */
export const markId = "}shard";

/** A shard of a store in use, or of one whose number of shards is being changed. */
export type ShardMark = Place | Move;

/** Shard `shard` of `of`, counted from 1. */
export interface Place {
  readonly shard: number;
  readonly of: number;
}

/** The states of a store are being moved from these shards to those. Both are named as in messages, with their prefixes. */
export interface Move {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Which of `from` this is, and in which run of the move: two names of one server show the same. */
  readonly at: string;
}

export const howToChange =
  'To change the number of shards, use "npx holdfast reshard" ("npx holdfast reshard --help" says how)';

export function isPlace(mark: ShardMark): mark is Place {
  return "shard" in mark;
}

/** `above`: its revision, and every later stamp of this shard, must be greater. */
export function markWrite(mark: ShardMark, rest: Pick<SaveWrite, "ifRevision" | "above"> = {}): SaveWrite {
  const bytes = new TextEncoder().encode(JSON.stringify(mark));
  return { kind: "save", bytes, serializer: "json", ttlMs: "none", ...rest };
}

/** `null`: there is none. */
export function readMark(name: string, state: LoadedState): ShardMark | null {
  if (state === null) return null;
  const mark = "bytes" in state ? parse(state.bytes) : undefined;
  if (mark !== undefined) return mark;
  throw new InvalidArgumentError(
    `${name} has the mark of a shard, but it cannot be read: it is damaged, or a newer version of Holdfast wrote it.`,
  );
}

/** The error of a backend that was opened as a whole store, where there is a shard of one. */
export function isOnlyShard(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} holds one shard of a store, so it cannot be opened alone: open(…) it as before, with the same list of ` +
      `targets, or the same number of shards. ${howToChange}.`,
  );
}

function parse(bytes: Uint8Array): ShardMark | undefined {
  try {
    const mark = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Place & Move> | null;
    if (Number.isInteger(mark?.shard) && Number.isInteger(mark?.of)) return mark as Place;
    if (Array.isArray(mark?.from) && Array.isArray(mark.to) && typeof mark.at === "string")
      return mark as Move;
  } catch {
    // Refused by the caller, like JSON that is not a mark.
  }
  return undefined;
}
