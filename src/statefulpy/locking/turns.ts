/**
 * Turns of calls under one hold: those of a stateful function inside of an `owner()` that holds its lock already. The lock
 * does not make them wait for each other, since it is theirs.
 */
import { LockTimeoutError, quoted } from "../../errors.ts";
import { after } from "../../timers.ts";
import type { OwnerScope } from "./owner.ts";

export interface Turn {
  readonly id: string;
  readonly owner: OwnerScope;
  readonly waitMs: number;
}

/** The end of the last turn of each id; it never rejects. */
const ends = new WeakMap<OwnerScope, Map<string, Promise<unknown>>>();

/** Runs `body` when the turns that were asked for before it have ended. @throws LockTimeoutError */
export async function inTurn<R>(turn: Turn, body: () => Promise<R>): Promise<R> {
  const { id, owner } = turn;
  const ofOwner = ends.get(owner) ?? new Map<string, Promise<unknown>>();
  ends.set(owner, ofOwner);
  const before = ofOwner.get(id);
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const end = Promise.all([before, finished]); // also after a turn that gave up
  ofOwner.set(id, end);
  try {
    if (before !== undefined) await inTime(before, turn);
    return await body();
  } finally {
    finish();
    if (ofOwner.get(id) === end) void end.then(() => ofOwner.get(id) === end && ofOwner.delete(id));
  }
}

function inTime(before: Promise<unknown>, { id, waitMs }: Turn): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void =>
      reject(
        new LockTimeoutError(
          `The lock ${quoted(id)} was not free within ${waitMs / 1_000} s: another call inside of the same owner() uses it.`,
        ),
      );
    const timer = after(waitMs, giveUp);
    void before.then(() => {
      timer.stop();
      resolve();
    });
  });
}
