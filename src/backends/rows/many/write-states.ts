/** Several writes without tickets in one step: each is decided on by itself, as decide.ts decides on a single one. */
import type { EntriesDone, EntryResult, WriteEntry } from "../../contract.ts";
import { currentLock } from "../locks.ts";
import type { PendingChanges } from "../pending-changes.ts";
import { nextWaiter } from "../queue.ts";
import { changeState, liveHead, refusalOf } from "../states.ts";

/** Their revisions follow one another, since the clock is read once for all of them. */
export function writeStates(pending: PendingChanges, entries: readonly WriteEntry[]): EntriesDone {
  let firstRevision: number | null = null;
  const results: EntryResult[] = [];
  for (const entry of entries) {
    const { result, revision } = writeOne(pending, entry);
    results.push(result);
    if (revision !== null) firstRevision ??= revision;
  }
  const isDone = results.some((result) => typeof result === "string" && result !== "busy");
  return { status: isDone ? "written" : "refused", firstRevision, results };
}

function writeOne(
  pending: PendingChanges,
  { id, write }: WriteEntry,
): { readonly result: EntryResult; readonly revision: number | null } {
  const item = pending.item(id);
  if (currentLock(item) !== null || nextWaiter(item) !== undefined) return { result: "busy", revision: null }; // [S8]
  const refused = refusalOf(item, write, write.ifRevision);
  if (refused !== undefined) return { result: refused, revision: null };
  const existed = liveHead(item) !== undefined;
  const written = changeState(item, write);
  if (written.status === "saved") return { result: "saved", revision: written.revision };
  return { result: existed ? "deleted" : "absent", revision: null };
}
