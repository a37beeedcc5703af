/**
 * Copies the states of one store to another, and then looks for those that were changed meanwhile: their revisions and
 * expiries are compared with those that were copied. So a store that was in use after all is noticed.
 */
import type { StateEntry } from "../../backends/contract.ts";
import { LockTimeoutError, quoted } from "../../errors.ts";
import type { Part } from "../../resharding/part.ts";
import type { Output } from "../output.ts";
import { foundStates, labelOf, type Found } from "./ids.ts";
import { inOrder } from "./in-order.ts";
import {
  failed,
  isSameExpiry,
  putState,
  wantedOf,
  type PutOptions,
  type Result,
  type Wanted,
} from "./put-state.ts";
import { raiseStamps, type Sides } from "./stamps.ts";
import type { Tally } from "./tally.ts";

export interface MigrateOptions extends PutOptions {
  readonly idPrefix: string;
  /** Whether locks may be held. */
  readonly isLive: boolean;
  readonly tally: Tally;
  readonly output: Output;
}

/** What was copied of a state; `null`: nothing was, and that was reported. */
type Copied = Pick<Wanted, "above" | "expiresAt"> | null;

/** Returns how many states have changed meanwhile. They are among those that failed. */
export async function migrateStates(sides: Sides, how: MigrateOptions): Promise<number> {
  if (!how.isLive) await refuseHeldLocks(sides.from);
  if (!how.isDryRun) await raiseStamps(sides, how.output);
  const copied = await copyStates(sides, how);
  return how.isDryRun ? 0 : countChanged(sides, copied, how);
}

async function refuseHeldLocks(from: Part): Promise<void> {
  const lock = await from.heldLock();
  if (lock === undefined) return;
  throw new LockTimeoutError(
    `${from.label}: the lock ${quoted(lock.id)} is held by ${lock.holder.token}. Close the store in every process first; ` +
      `with --live, states are copied nevertheless, and those that change meanwhile are named.`,
  );
}

interface Done {
  readonly id: string;
  /** `undefined`: it was gone. */
  readonly result: Result | undefined;
}

async function copyStates({ from, to }: Sides, how: MigrateOptions): Promise<Map<string, Copied>> {
  const copied = new Map<string, Copied>();
  const copy = async ({ id }: Found): Promise<Done> => {
    const state = await from.look(id);
    if (state === null) return { id, result: undefined };
    copied.set(id, null);
    if ("unreadable" in state) return { id, result: failed(`it cannot be read: ${state.unreadable}`) };
    const wanted = wantedOf(state);
    const result = await putState(to, { id, wanted }, how);
    const { above, expiresAt } = wanted; // the bytes are not kept
    if (result.outcome !== "failed") copied.set(id, { above, expiresAt });
    return { id, result };
  };
  const found = foundStates(from, how.idPrefix);
  for await (const { id, result } of inOrder(found, ({ entry }) => entry?.bytes ?? 0, copy))
    if (result !== undefined) await how.tally.add(id, result);
  return copied;
}

async function countChanged(
  { from }: Sides,
  copied: Map<string, Copied>,
  how: MigrateOptions,
): Promise<number> {
  let count = 0;
  const changed = (id: string, what: string): void => {
    count += 1;
    how.tally.fail(labelOf(id), `it was ${what} in the old store meanwhile; run this again with --overwrite`);
  };
  const mayBeGone = new Map(copied);
  for await (const { id, entry } of foundStates(from, how.idPrefix)) {
    mayBeGone.delete(id);
    const copy = copied.get(id);
    if (copy === null || entry === undefined) continue; // reported before
    if (copy === undefined) changed(id, "created");
    else if (!isSame(copy, entry)) changed(id, "changed");
  }
  for (const [id, copy] of mayBeGone) {
    if (copy === null) continue;
    if (copy.expiresAt === null || copy.expiresAt > Date.now()) changed(id, "deleted");
  }
  return count;
}

function isSame(copy: NonNullable<Copied>, { revision, expiresInMs }: StateEntry): boolean {
  const expiresAt = expiresInMs === null ? null : Date.now() + expiresInMs;
  return copy.above === revision && isSameExpiry(copy.expiresAt, expiresAt);
}
