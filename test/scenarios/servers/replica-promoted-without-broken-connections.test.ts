// A replica is promoted behind a fixed address and the old primary becomes its replica. Connections for
// commands are closed (by `timeout`, or a tool that kills them by type), those of subscribers are not: they stay at the
// server that decides no more, which passes on what is published where it is decided.
//
// Seen failing with the defence taken out:
//   hand-over.lua publishing before the grant stands, and taking the answer of PUBLISH for the number of those who
//   listen, where the connection for wakes is not made anew with the one for commands (own-client.ts): bodies overlap.

import { createClient } from "@redis/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Store } from "../../../src/index.ts";
import { Replicated } from "../../integration/redis/replicated.ts";
import { poll } from "../../support/poll.ts";
import type { RedisServer } from "../../support/redis-server.ts";

vi.setConfig({ testTimeout: 60_000 });

let group: Replicated;
beforeEach(async () => {
  group = await Replicated.start(1);
});
const clients: { destroy(): void }[] = [];
afterEach(async () => {
  await group.stop();
  for (const client of clients.splice(0)) client.destroy();
});

const role = async (server: RedisServer): Promise<string> =>
  ((await server.command("ROLE")) as string[])[0] ?? "";
const killCommands = (server: RedisServer): Promise<unknown> =>
  server.command("CLIENT", "KILL", "TYPE", "normal");

/** Nothing is lost on the way: the primary waits until the replica has everything, then they change places. */
async function changePlaces(from: RedisServer, to: RedisServer): Promise<void> {
  await from.command("FAILOVER", "TO", "127.0.0.1", String(to.port), "TIMEOUT", "10000");
  await poll(() => role(to)).toBe("master");
  await poll(() => role(from)).toBe("slave");
  group.address.repoint(to, "stay");
  await Promise.all([from, to].map(killCommands));
}

/** All contend for one lock, whose bodies must not overlap. */
class Contest {
  readonly turns = new Map<Store, number>();
  overlaps = 0;
  #inside = 0;
  #over = false;
  readonly #lanes: Promise<void>[];

  constructor(stores: readonly Store[], id: string) {
    this.#lanes = stores.map((store) => this.#contend(store, id));
  }

  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#lanes);
  }

  /** Resolves when each has had so many turns more. */
  async more(turns: number): Promise<void> {
    const from = new Map(this.turns);
    for (const store of from.keys())
      await poll(() => (this.turns.get(store) ?? 0) - (from.get(store) ?? 0)).toBeGreaterThanOrEqual(turns);
  }

  async #contend(store: Store, id: string): Promise<void> {
    this.turns.set(store, 0);
    while (!this.#over) {
      await store.lock(id).run(
        async () => {
          this.#inside += 1;
          if (this.#inside > 1) this.overlaps += 1;
          await new Promise(setImmediate);
          this.#inside -= 1;
        },
        { waitMs: 30_000 },
      );
      this.turns.set(store, (this.turns.get(store) ?? 0) + 1);
    }
  }
}

/** Stores over clients of the user's own: what they reconnect is their connection for commands alone. */
async function overOwnClient(): Promise<Store> {
  const client = createClient({ url: group.address.url, disableClientInfo: true });
  client.on("error", () => {});
  await client.connect();
  clients.push(client);
  return group.openAt(client, { operationMs: 10_000 });
}

test.each([
  ["stores of a URL", () => Promise.resolve(group.open({ operationMs: 10_000 }))],
  ["stores over own clients", overOwnClient],
] as const)(
  "[L1] [L2] [L8] [S5] the primary moves, and subscribers stay (%s): bodies do not overlap, waiters and writes go on",
  async (_name, connect) => {
    const stores = await Promise.all(Array.from({ length: 4 }, connect));
    await Promise.all(stores.map((store) => store.ready()));
    const contest = new Contest(stores, "contended");
    await contest.more(20);
    await changePlaces(group.primary, group.replica);
    await contest.more(50);
    await changePlaces(group.replica, group.primary);
    await contest.more(50);
    await contest.end();
    expect(contest.overlaps).toBe(0);
    for (const store of stores) {
      const state = store.state("counted", { initial: () => 0 });
      const before = await state.load();
      expect(await state.update((n) => n + 1)).toBe(before + 1);
    }
  },
);

test("[L9] [L8] subscribers are told of by the new primary soon, and nobody polls in the end", async () => {
  const [holder, waiter] = [group.open(), group.open()];
  await Promise.all([holder.ready(), waiter.ready()]);
  const held = await holder.lock("kept").acquire({ leaseMs: 60_000 });
  const waiting = waiter.lock("kept").acquire({ waitMs: 30_000 });
  await poll(async () => (await holder.lock("kept").inspect())?.waiters).toBe(1);
  await changePlaces(group.primary, group.replica);
  const asks = async (): Promise<string> =>
    String(await group.replica.command("HVALS", "holdfast:asks:{kept}"));
  await poll(asks).toContain(" qp ");
  expect(await held.release()).toBe(true);
  expect(await (await waiting).release()).toBe(true);
});
