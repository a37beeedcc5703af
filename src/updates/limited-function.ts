/** `maxHoldMs` of a change: a function that never ends does not hold the lock for ever. */
import { limitHold } from "../ownership/hold-limit.ts";
import { nextTurn, type Deadlines } from "../timers.ts";
import type { Applied } from "./changes/application.ts";

/**
 * True as soon as the function has ended. False if it had not ended when its time and the grace were over: then the lock
 * was given up. Under a grant of its caller, the limit of that grant counts.
 */
export function endOrGivenUp(deadlines: Deadlines, applied: Applied): true | Promise<boolean> {
  const { grant, over, change } = applied;
  if (over === undefined) return true;
  if (grant === undefined || change.maxHoldMs === undefined) return over.then(() => true);
  return new Promise((resolve) => {
    const held = {
      title: grant.title,
      expire: (reason: Error) => grant.expire(reason),
      giveUp: (reason: string) => {
        grant.giveUp(reason);
        resolve(false);
      },
      whenOver: (listener: () => void) => void over.then(listener), // not before: a function may outlive the grant
    };
    limitHold(deadlines, held, change.maxHoldMs);
    void over.then(() => resolve(true));
  });
}

/** Whether it ends before the next turn of the event loop: then it waits only for promises that are ready. */
export function isOverSoon(over: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    void over.then(() => resolve(true));
    nextTurn(() => resolve(false));
  });
}
