// [L7] The cancel of a ticket that is no longer wanted is repeated until it is answered.

import { expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";
import { failBefore, FaultyBackend } from "../../../src/testing/index.ts";

test("[L7] a server that lost its receipts while a cancel was repeated carries it out all the same", async () => {
  const memory = new Memory();
  const faults = new FaultyBackend(new MemoryBackend({ memory }));
  const mine = open(faults, { operationMs: 1_000 });
  const theirs = open(new MemoryBackend({ memory }));
  await mine.state("something").save(1); // what could be proven
  const grant = await theirs.lock("x").acquire();
  const silent = faults.always("cancelLock", failBefore("unknown"));
  await expect(mine.lock("x").acquire({ waitMs: 20 })).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
  const cancels = () => faults.calls.filter(({ method }) => method === "cancelLock");
  await expect.poll(() => cancels().length).toBeGreaterThan(1);
  memory.receipts.get(faults.clientId)?.clear();
  // The next cancel begins anew: it is no retry, and so needs no proof of what came before.
  await expect.poll(() => new Set(cancels().map(({ args }) => args[2])).size, { timeout: 10_000 }).toBe(2);
  silent.cancel(); // the ticket would be gone by itself 12 s after its ask
  await expect.poll(async () => (await theirs.lock("x").inspect())?.waiters, { timeout: 5_000 }).toBe(0);
  await grant.release();
  await Promise.all([mine.close(), theirs.close()]);
});
