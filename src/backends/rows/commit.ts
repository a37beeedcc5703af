/** A commit of several states: it is decided on as a whole before anything is changed [S9]. */
import type { Committed, CommitEntry, CommitReply, Forgotten } from "../contract.ts";
import { passOn } from "./hand-over.ts";
import { confirmLock, currentLock, heldBy, type Held } from "./locks.ts";
import type { Item, PendingChanges } from "./pending-changes.ts";
import { isShare } from "./shares.ts";
import { changeState, refusalOf } from "./states.ts";

type Refused = Exclude<CommitReply, Committed | Forgotten>;

export function commitStates(
  pending: PendingChanges,
  entries: readonly CommitEntry[],
): Exclude<CommitReply, Forgotten> {
  const locks = new Map<CommitEntry, Held>();
  for (const [index, entry] of entries.entries()) {
    const item = pending.item(entry.id);
    const held = heldBy(item, currentLock(item), entry.ticket);
    if (held === undefined || isShare(held)) return { status: "lost", index }; // [S4]
    locks.set(entry, held);
  }
  const refused = refusal(pending, entries);
  if (refused !== undefined) return refused;
  const revisions = entries.map(({ id, write }) => {
    const written = write && changeState(pending.item(id), write);
    return written?.status === "saved" ? written.revision : null;
  });
  // Once all is written: a waiter may learn the state with the grant.
  for (const [{ id, release }, held] of locks) {
    const item = pending.item(id);
    if (release === undefined) confirmLock(item, held);
    else pass(item, held);
  }
  entries.forEach(({ release }, index) => {
    if (release !== undefined)
      pending.record(release, { status: "released", revision: revisions[index] ?? null });
  });
  return { status: "committed", revisions };
}

function refusal(pending: PendingChanges, entries: readonly CommitEntry[]): Refused | undefined {
  for (const [index, { id, write, ifRevision }] of entries.entries()) {
    const refused = refusalOf(pending.item(id), write, ifRevision);
    if (refused !== undefined) return { ...refused, index };
  }
  return undefined;
}

function pass(item: Item, held: Held): void {
  if (held.unconfirmed) item.removeWaiter(held.ticket);
  passOn(item, held);
}
