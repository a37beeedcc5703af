/**
 * Work that outlives the function of a `run`: a promise in it was not awaited, so the lock is released before the work is
 * done. The async context of a call shows it: the innermost function that it comes from has ended.
 *
 * A call for another id from there is warned of, once for each lock. One for the same id is not: to take the lock again
 * later, from a timer, is a usual way to repeat something. A write of the guarded state fails in any case [S4], and its
 * error says this.
 */
import { warnOnce } from "../diagnostics.ts";
import { LockLostError, quoted } from "../errors.ts";
import type { HeldGrant } from "./grant.ts";
import type { Held } from "./held-grants.ts";

const advice =
  "Await all promises inside of the function, or return them; start what is to go on by itself outside of it";

/** A call for the lock `id` is about to wait in this context. */
export function warnIfOutlived(store: object, id: string, context: Held): void {
  const { grant, draft } = context;
  if (draft || context.store !== store || !grant.isEnded || grant.id === id) return;
  warnOnce(
    "outlived-run",
    grant.id,
    () =>
      `A call for ${quoted(id)} comes from work that run() of the lock ${quoted(grant.id)} began, and that has outlived it: ` +
      `the function had ended, and the lock was released. ${advice}.`,
  );
}

/** The error of a write of the state that an ended function guarded; `lost`: that of a grant which ended otherwise. */
export function outlivedError({ id, fence, isEnded }: HeldGrant, lost: Error): Error {
  if (!isEnded) return lost;
  return new LockLostError(
    `The lock ${quoted(id)} (fence ${fence}) is no longer held: this call comes from work that has outlived the function ` +
      `of run(), with which the lock was released. Nothing was saved. ${advice}.`,
  );
}
