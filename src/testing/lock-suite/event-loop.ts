/** The event loop turns while calls are awaited one after another, so that timers run and leases are renewed [L5]. */
import { strict as assert } from "node:assert";
import type { ListeningClient } from "../contract-client.ts";
import { save } from "../contract-client.ts";
import { proof, type Case } from "../suite.ts";

const page = { idPrefix: "suite:", limit: 10 };

/** The calls of the contract that a program may repeat any number of times. */
const calls: Readonly<Record<string, (client: ListeningClient, id: string) => Promise<unknown>>> = {
  loadState: ({ backend }, id) => backend.loadState(id, { expiry: false }),
  listStates: ({ backend }) => backend.listStates(null, page),
  inspectLock: ({ backend }, id) => backend.inspectLock(id),
  listLocks: ({ backend }) => backend.listLocks(null, page),
  renewLocks: ({ backend }, id) =>
    backend.renewLocks([{ id, ticket: `host:1:${backend.clientId}:9`, leaseMs: 1_000 }]),
  writeState: (client, id) => client.write(id, save("x"), { sequence: 0, n: 1, keepMs: 60_000 }),
};

/** The timer is due almost at once; if it has not run after this many calls, it never will. */
const mostCalls = 200_000;

async function letsTimersRun(call: () => Promise<unknown>): Promise<void> {
  const timer = { ran: false };
  const set = setTimeout(() => (timer.ran = true), 20);
  for (let count = 0; !timer.ran && count < mostCalls; count += 1) await call();
  clearTimeout(set);
  assert.ok(timer.ran, "no timer ran while calls were awaited one after the other");
}

export const eventLoopCases: readonly Case[] = [
  ...Object.entries(calls).map(([name, call]) =>
    proof(`[L5] ${name}, awaited again and again, lets timers run`, async (fixture) => {
      const [client, id] = [await fixture.client(), fixture.id()];
      await letsTimersRun(() => call(client, id));
    }),
  ),

  proof("[L5] a holder that only reads keeps its lock beyond its lease", async (fixture) => {
    const [holder, other] = await fixture.stores(2, { leaseMs: 1_500 });
    const id = fixture.id();
    const grant = await holder.lock(id).acquire();
    const endsAt = performance.now() + 2_500;
    while (performance.now() < endsAt) await holder.state(id).load();
    assert.equal(grant.signal.aborted, false);
    assert.equal(await other.lock(id).tryAcquire(), null);
    assert.equal(await grant.release(), true);
  }),
];
