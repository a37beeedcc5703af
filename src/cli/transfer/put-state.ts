/**
 * Puts one state into a store as it is: its bytes, its serializer and the rest of its time to live. What is there is
 * never overwritten unasked, and what was written is read back.
 *
 * | what is there | without overwriting | overwriting |
 * |---|---|---|
 * | nothing | written | written |
 * | the same bytes, serializer and expiry | equal | equal |
 * | another state | failed | overwritten, if it is still the one that was read |
 * | what is no state | failed | failed |
 */
import { setTimeout as pause } from "node:timers/promises";
import type { LoadedState, StoredState, WriteReply } from "../../backends/contract.ts";
import type { Part } from "../../resharding/part.ts";
import { now } from "../../timers.ts";

/** The state as it shall be. */
export interface Wanted {
  readonly bytes: Uint8Array;
  readonly serializer: string;
  /** In milliseconds since 1970; `null`: it does not expire. */
  readonly expiresAt: number | null;
  /** Its revision where it comes from: it gets a greater one, and so do all later saves. */
  readonly above: number;
}

export interface ToPut {
  /** As it is stored. */
  readonly id: string;
  readonly wanted: Wanted;
}

export interface PutOptions {
  /** Nothing is written; the result is what it would be. */
  readonly isDryRun: boolean;
  readonly overwrites: boolean;
  /** How long to wait while others hold the lock of the state, in milliseconds. */
  readonly waitMs: number;
}

export type Result =
  | { readonly outcome: "written" | "overwritten" | "equal" | "expired" }
  | { readonly outcome: "failed"; readonly problem: string };

/** Two expiries that differ by less are the same: each was read from a clock of its own, some time ago. */
const toleranceMs = 5_000;
const askAgainMs = 50;
/** How often a state that others change meanwhile is tried. */
const mostConflicts = 20;

export async function putState(target: Part, { id, wanted }: ToPut, how: PutOptions): Promise<Result> {
  const until = now() + how.waitMs;
  for (let conflicts = 0; ;) {
    if (isExpired(wanted)) return { outcome: "expired" };
    const there = await target.look(id);
    const known = withoutWriting(there, wanted, how);
    if (known !== undefined) return known;
    const before = there as StoredState | null;
    const reply = await replace(target, id, { before, wanted });
    if (reply.status === "saved") {
      return (await verify(target, id, { wanted, revision: reply.revision }))
        ? { outcome: before === null ? "written" : "overwritten" }
        : failed("it was written, but reads differently");
    }
    if (reply.status !== "busy") {
      conflicts += 1;
      if (conflicts > mostConflicts) return failed("others keep changing it");
    } else {
      if (now() >= until) return failed("its lock is held, or waited for, by others");
      await pause(askAgainMs);
    }
  }
}

/** The state as it is loaded from elsewhere. */
export function wantedOf({ bytes, serializer, revision, expiresInMs }: StoredState): Wanted {
  const expiresAt = typeof expiresInMs === "number" ? Date.now() + expiresInMs : null;
  return { bytes, serializer, expiresAt, above: revision };
}

export function failed(problem: string): Result {
  return { outcome: "failed", problem };
}

/** Whether both expiries mean the same time, or neither exists. */
export function isSameExpiry(a: number | null, b: number | null): boolean {
  return a === null || b === null ? a === b : Math.abs(a - b) <= toleranceMs;
}

/** `undefined`: it must be written. */
function withoutWriting(there: LoadedState, wanted: Wanted, how: PutOptions): Result | undefined {
  if (there !== null && "unreadable" in there)
    return failed(`what is there is not a state, and was left as it is: ${there.unreadable}`);
  if (there !== null && isEqual(there, wanted)) return { outcome: "equal" };
  if (there !== null && !how.overwrites)
    return failed(`${differenceOf(there, wanted)}; --overwrite replaces it`);
  if (!how.isDryRun) return undefined;
  return { outcome: there === null ? "written" : "overwritten" };
}

function isEqual(there: StoredState, wanted: Wanted): boolean {
  const isSameContent = there.serializer === wanted.serializer && sameBytes(there, wanted);
  return isSameContent && isSameExpiry(wantedOf(there).expiresAt, wanted.expiresAt);
}

function differenceOf(there: StoredState, wanted: Wanted): string {
  if (there.serializer !== wanted.serializer)
    return `there is a state of the serializer "${there.serializer}", not "${wanted.serializer}"`;
  if (!sameBytes(there, wanted)) return "another value is there";
  return "the same value is there, but with another expiry";
}

function sameBytes(a: Pick<StoredState, "bytes">, b: Pick<StoredState, "bytes">): boolean {
  return Buffer.compare(a.bytes, b.bytes) === 0;
}

function isExpired({ expiresAt }: Wanted): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

interface Replacing {
  readonly before: StoredState | null;
  readonly wanted: Wanted;
}

async function replace(target: Part, id: string, { before, wanted }: Replacing): Promise<WriteReply> {
  const { bytes, serializer, expiresAt, above } = wanted;
  const ttlMs = expiresAt === null ? "none" : Math.max(1, Math.ceil(expiresAt - Date.now()));
  let ifRevision = before?.revision ?? ("absent" as const);
  // A save never replaces a state of another serializer [S6].
  if (before !== null && before.serializer !== serializer) {
    const deleted = await target.write(id, { kind: "delete", ifRevision });
    if (deleted.status !== "deleted") return deleted;
    ifRevision = "absent";
  }
  return target.write(id, { kind: "save", bytes, serializer, ttlMs, above, ifRevision });
}

/** Whether it is there as it was written, unless others have changed it since, or it has expired. */
async function verify(
  target: Part,
  id: string,
  { wanted, revision }: { readonly wanted: Wanted; readonly revision: number },
): Promise<boolean> {
  const copy = await target.look(id);
  if (copy === null) return isExpired(wanted);
  if ("unreadable" in copy) return false;
  return copy.revision > revision || isEqual(copy, wanted);
}
