/**
 * `maxHoldMs`: how long a caller may hold a lock.
 *
 * When that time is over, the signal aborts, but the lock is still held: the caller has a grace to save and to end in
 * good order. If it has not released the lock by then, the lock is given up, so that a function that never ends does
 * not hold it for ever. Calls without the option have no timer.
 */
import { LockLostError } from "../errors.ts";
import type { Deadline, Deadlines } from "../timers.ts";

/** From when the signal aborts until the lock is given up. */
export const graceMs = 1_000;

/** What is held: one lock, or several. */
export interface Limited {
  /** For messages: `the lock "x" (fence 7)`. */
  readonly title: string;
  /** The time is over: aborts the signals. It is still held. */
  expire(reason: LockLostError): void;
  /** The grace is over as well. `reason`: text for a LockLostError. */
  giveUp(reason: string): void;
  /** Calls `listener` once, when it has been released or lost. */
  whenOver(listener: () => void): void;
}

/** Limits the time from now on, until it is released or lost. */
export function limitHold(deadlines: Deadlines, held: Limited, maxHoldMs: number | undefined): void {
  if (maxHoldMs === undefined) return;
  let deadline: Deadline = deadlines.set(maxHoldMs, () => {
    deadline = deadlines.set(graceMs, () => held.giveUp(givenUp(maxHoldMs)));
    held.expire(overdue(held.title, maxHoldMs));
  });
  held.whenOver(() => deadlines.clear(deadline));
}

function overdue(title: string, maxHoldMs: number): LockLostError {
  return new LockLostError(
    `maxHoldMs (${maxHoldMs} ms) of ${title} is over: finish within ${graceMs} ms, before this grant is given up.`,
  );
}

function givenUp(maxHoldMs: number): string {
  return `it was held for longer than maxHoldMs (${maxHoldMs} ms) and the ${graceMs} ms after it`;
}
