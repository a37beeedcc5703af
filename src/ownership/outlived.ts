/**
 * Work that outlives the function of a `run`: a promise in it was not awaited, so the lock is released before the work is
 * done. The async context of a call shows it: the innermost function that it comes from has ended.
 *
 * A call for another id from there is warned of, once for each lock. One for the same id is not: to take the lock again
 * later, from a timer, is a usual way to repeat something. A write of the guarded state fails in any case [S4], and its
 * error says this.
 *
 * A timer, a socket or a server that was made inside of a function keeps its context for the life of the process, and so do
 * all that its callbacks call, which is no mistake. So there is no warning in a call that an event has made, nor once the
 * lease of the ended hold would be over: work that someone forgot to await calls soon.
 */
import { warnOnce } from "../diagnostics/events.ts";
import { LockLostError, quoted } from "../errors.ts";
import { now } from "../timers.ts";
import type { HeldGrant } from "./grant.ts";
import type { Held } from "./held-grants.ts";

const advice =
  "Await all promises inside of the function, or return them; start what is to go on by itself outside of it";

/** A call for the lock `id` is about to wait in this context. */
export function warnIfOutlived(store: object, id: string, context: Held): void {
  const { grant, draft } = context;
  if (draft || context.store !== store || !grant.isEnded || grant.id === id) return;
  if (now() >= grant.hold.until || isCalledByEvent()) return;
  warnOnce(
    "outlived-run",
    grant.id,
    () =>
      `A call for the lock ${quoted(id)} comes from work that run() of the lock ${quoted(grant.id)} began, and that has outlived it: ` +
      `the function had ended, and the lock was released. ${advice}.`,
  );
}

/** Continues a function that has awaited something: what is below in the stack has only settled its promise. */
const continuation = /\n[^\n]*(?:node:internal\/process\/task_queues|\bat async )/;
const event = /\bnode:(?:internal\/timers|events|internal\/event_target)\b/;
/** More than there usually are; the deepest frame is the one that tells. */
const maxFrames = 200;

/** Whether this is the turn of a timer or a listener, which was made to go on by itself. */
function isCalledByEvent(): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = maxFrames;
  const stack = String(new Error().stack);
  Error.stackTraceLimit = stackTraceLimit;
  const [own = ""] = stack.split(continuation);
  return event.test(own);
}

/** The error of a write of the state that an ended function guarded; `lost`: that of a grant which ended otherwise. */
export function outlivedError({ id, fence, isEnded }: HeldGrant, lost: Error): Error {
  if (!isEnded) return lost;
  return new LockLostError(
    `The lock ${quoted(id)} (fence ${fence}) is no longer held: this call comes from work that has outlived the function ` +
      `of run(), with which the lock was released. Nothing was saved. ${advice}.`,
  );
}
