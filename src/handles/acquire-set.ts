/** Acquires the locks of several ids for a caller: finds what it holds already, and how it must wait for the others. */
import type { HeldGrant } from "../ownership/grant.ts";
import { HeldSet } from "../ownership/grant-set.ts";
import { heldIds, liveGrant } from "../ownership/held-grants.ts";
import { limitHold } from "../ownership/hold-limit.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { acquireAll } from "../scheduling/acquire-all.ts";
import { compareIds } from "../ids/id-order.ts";
import type { Session } from "../session.ts";

export interface WantedSet<Id extends string> {
  /** In order, each once. */
  readonly ids: readonly Id[];
  /** Grants that the caller names, of some of the ids or of others. */
  readonly given: readonly HeldGrant[];
}

/** Returns one grant of all. Locks that the caller holds are entered again. */
export async function acquireSet<Id extends string>(
  session: Session,
  { ids, given }: WantedSet<Id>,
  { maxHoldMs, ...how }: WaitOptions,
): Promise<HeldSet<Id>> {
  const { calls, locks, store } = session;
  const wanted = ids.map((id) => ({
    id,
    outer: given.find((grant) => grant.id === id) ?? liveGrant(store, id),
  }));
  const outer = wanted.find((lock) => lock.outer !== undefined)?.outer;
  const held = [...heldIds(store), ...given.filter(({ isLive }) => isLive).map(({ id }) => id)];
  const greatestHeld = held.sort(compareIds).at(-1);
  const admit = (): void => session.admit(outer);
  const set = new HeldSet<Id>(await acquireAll({ calls, locks, admit, greatestHeld }, wanted, how));
  const isAllNested = wanted.every((lock) => lock.outer !== undefined);
  limitHold(calls.deadlines, set, isAllNested ? undefined : maxHoldMs);
  return set;
}
