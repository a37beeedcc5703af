/** Several writes without tickets in one step: each is decided on by itself, as decide.ts decides on a single one. */
import type { EntriesDone, EntryResult, WriteEntry } from "../../contract.ts";
import { currentLock } from "../locks.ts";
import type { PendingChanges } from "../pending-changes.ts";
import { nextWaiter } from "../queue.ts";
import { changeState, liveHead, refusalOf } from "../states.ts";

export function writeStates(pending: PendingChanges, entries: readonly WriteEntry[]): EntriesDone {
  const results = entries.map((entry) => resultOf(pending, entry));
  const revision = results.includes("saved") ? pending.reserveStamps(1) : null;
  entries.forEach(({ id, write }, nth) => {
    const result = results[nth];
    if (result === "saved" || result === "deleted")
      changeState(pending.item(id), write, revision ?? undefined);
  });
  const isDone = results.some((result) => typeof result === "string" && result !== "busy");
  return { status: isDone ? "written" : "refused", revision, results };
}

/** What is to become of it. Changes nothing. */
function resultOf(pending: PendingChanges, { id, write }: WriteEntry): EntryResult {
  const item = pending.item(id);
  if (currentLock(item) !== null || nextWaiter(item) !== undefined) return "busy"; // [S8]
  const refused = refusalOf(item, write, write.ifRevision);
  if (refused !== undefined) return refused;
  if (write.kind === "save") return "saved";
  return liveHead(item) === undefined ? "absent" : "deleted";
}
