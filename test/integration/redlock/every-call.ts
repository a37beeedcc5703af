// What every kind of client must do, wherever it is connected to: each call once, and a call that waits for its turn.

import { expect } from "vitest";
import { ExecutionError, Redlock, type RedlockClient } from "holdfast/redlock";

import { poll } from "../../support/poll.ts";
import { aborted, failureOf } from "./clients.ts";

/** `client` and `other` are two clients of one place. */
export async function everyCallWorks(client: RedlockClient, other: RedlockClient): Promise<void> {
  const [one, two] = [new Redlock([client]), new Redlock([other])];
  const lock = await one.acquire(["first", "second", "third"], 60_000);
  const failure = await failureOf(two.acquire(["third", "other"], 60_000, { retryCount: 0 }));
  expect(failure).toBeInstanceOf(ExecutionError);
  expect(failure.cause).toMatchObject({ code: "LOCK_TIMEOUT", id: "third" });
  const waiting = two.acquire(["other", "second"], 60_000, { retryCount: -1 });
  const extended = await lock.extend(60_000);
  expect(extended.fences).toEqual(lock.fences);
  await extended.release();
  const next = await waiting;
  expect(next.fences["second"]).toBeGreaterThan(Number(lock.fences["second"]));
  await next.release();
  const often = { automaticExtensionThreshold: 59_000 };
  await one.using(["first", "other"], 60_000, often, async (signal, context) => {
    await poll(() => context.extensions).toBeGreaterThan(1);
    expect(signal.aborted).toBe(false);
  });
  const short = await one.acquire(["short"], 200);
  await aborted(short.signal);
  await (await two.acquire(["short"], 60_000)).release();
}

/** Closes what Holdfast keeps for a client, and ends it: a test may have done so before. */
export async function endOf(client: RedlockClient): Promise<void> {
  await new Redlock([client]).quit().catch(() => undefined);
}

/** quit() releases what the client holds, and ends it. `other` is another client of the same place. */
export async function quitEndsIt(client: RedlockClient, other: RedlockClient): Promise<void> {
  const redlock = new Redlock([client]);
  const lock = await redlock.acquire(["quit"], 60_000);
  await redlock.quit();
  expect(lock.signal.aborted).toBe(true);
  await poll(() => isEnded(client)).toBe(true);
  await (await new Redlock([other]).acquire(["quit"], 60_000, { retryCount: 0 })).release();
}

function isEnded(client: RedlockClient): boolean {
  const { isOpen, status } = client as { readonly isOpen?: boolean; readonly status?: string };
  return isOpen === false || status === "end";
}
