// What others do to the server behind our back. A lock deleted, alone or with everything else: the
// holder's saves are refused from that moment, its renewal reports the loss, and what comes after has greater fences and
// revisions. Scripts forgotten and the server restarted between any two calls: nobody notices. See also
// test/integration/processes/redis.test.ts, "behind the protocol's back" and "scripts that the server has forgotten".
//
// Seen failing with the defence taken out:
// - write.lua, or the protocol that SQLite keeps, takes a save of a ticket that does not hold the lock: a deleted lock, there;
// - src/leases/watchdog.ts treats a renewal that was answered "lost" like one without an answer: a deleted lock, by the reason;
// - src/backends/redis/protocol/script-runner.ts does not load a script that the server does not know: the emptied script cache.

import { DatabaseSync } from "node:sqlite";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { prefix, sharedBackends, startServer, type TestServer } from "../../support/setting.ts";
import { served } from "../../support/served.ts";

vi.setConfig({ testTimeout: 90_000 }); // a node of a cluster that is restarted takes two seconds to serve

interface Storage {
  readonly url: string;
  deleteLock(id: string): Promise<unknown>;
  flush(): Promise<unknown>;
  end(): Promise<void>;
}

const storages: Readonly<Record<"Redis" | "SQLite", () => Promise<Storage>>> = {
  async Redis() {
    const server = await startServer();
    return {
      url: server.url,
      deleteLock: (id) => server.command("DEL", `${prefix}lock:{${id}}`),
      flush: () => server.command("FLUSHALL"),
      end: () => server.stop(),
    };
  },
  async SQLite() {
    const { url, end } = await served.SQLite();
    const run = async (sql: string): Promise<void> => {
      const db = new DatabaseSync(url.replace("sqlite:", ""), { timeout: 10_000 });
      db.exec(sql);
      db.close();
    };
    const all = ["states", "locks", "waiters", "receipts"].map((table) => `DELETE FROM ${table};`).join(" ");
    return {
      url,
      deleteLock: () => run("DELETE FROM locks"),
      flush: () => run(`BEGIN IMMEDIATE; ${all} UPDATE stamps SET last = 0; COMMIT;`),
      end,
    };
  },
};

const storagesHere = sharedBackends.map((name) => [name, storages[name]] as const);

describe.each(storagesHere)("%s", (_, create) => {
  let storage: Storage;
  let store: Store;
  let other: Store;
  beforeEach(async () => {
    storage = await create();
    [store, other] = [1, 2].map(() => open(storage.url, { leaseMs: 2_000 })) as [Store, Store];
    await Promise.all([store.ready(), other.ready()]);
  });
  afterEach(async () => {
    await Promise.all([store.close({ drainMs: 0 }), other.close({ drainMs: 0 })]);
    await storage.end();
  });

  test.each(["deleteLock", "flush"] as const)(
    "[S2] [S4] [L3] [L5] [L6] %s behind the holder's back: told as lost, refused, and passed by",
    async (how) => {
      const before = await store.state("x").save("before");
      const [silent, saving] = [await store.lock("quiet").acquire(), await store.lock("x").acquire()];
      await storage[how]("quiet");
      await storage[how]("x");

      // Before any renewal: the save is refused, and nothing is written.
      const refused = store.state("x").save("stale", { grant: saving });
      await expect(refused).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
      expect(saving.signal.reason).toMatchObject({ code: "LOCK_LOST" });
      expect(await other.state("x").load()).toBe(how === "flush" ? undefined : "before");

      // The next one needs to wait for nobody, and is ahead in everything.
      const theirs = await other.lock("x").tryAcquire();
      expect(theirs?.fence).toBeGreaterThan(saving.fence);
      const after = await other.state("x").save("after", { grant: theirs! });
      expect(after).toBeGreaterThan(before);
      expect(await saving.release()).toBe(false);
      expect(await other.lock("x").inspect()).toMatchObject({ fence: theirs?.fence });

      // Who does nothing hears of it by its renewal, long before its lease would have ended.
      if (!silent.signal.aborted) await once(silent.signal, "abort");
      expect(silent.signal.reason).toMatchObject({ code: "LOCK_LOST" });
      expect(String(silent.signal.reason)).toContain("no longer the holder");
      expect(await silent.release()).toBe(false);
      expect(await theirs?.release()).toBe(true);
      expect(await store.state("x").load()).toBe("after");
    },
  );
});

describe("Redis", () => {
  let server: TestServer;
  let store: Store;
  beforeEach(async () => {
    server = await startServer({ appendonly: true });
    store = open(server.url, { leaseMs: 60_000, operationMs: 10_000 });
  });
  afterEach(async () => {
    await store.close({ drainMs: 0 });
    await server.stop();
  });

  const disturbances: Readonly<Record<string, () => Promise<unknown>>> = {
    "SCRIPT FLUSH": () => server.command("SCRIPT", "FLUSH"),
    "a restart": () => server.restart("keep"),
  };

  test.each(Object.keys(disturbances))("[S3] [S5] %s between any two calls: nobody notices", async (what) => {
    const disturb = (): Promise<unknown> | undefined => disturbances[what]?.();
    const x = store.state<number[]>("x", { initial: () => [] });
    const grant = await store.lock("held").acquire();
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      save: () => x.save([1]),
      load: () => x.load(),
      update: () => x.update((all) => void all.push(2)),
      run: () => x.run((all) => all.push(3)),
      touch: () => x.touch(60_000),
      "lock.run": () => store.lock("x").run(() => "entered"),
      inspect: async () => (await store.lock("held").inspect())?.fence,
      "save under the grant": () => store.state("held").save("mine", { grant }),
      list: async () => {
        for await (const { id } of store.states()) return id.length > 0;
        return false;
      },
      delete: () => x.delete(),
      release: () => grant.release(),
      forceRelease: () => store.lock("held").forceRelease(),
    };
    const answers: Record<string, unknown> = {};
    for (const [name, call] of Object.entries(calls)) {
      await disturb();
      answers[name] = await call();
    }
    const aNumber: unknown = expect.any(Number);
    expect(answers).toEqual({
      save: aNumber,
      load: [1],
      update: [1, 2],
      run: 3,
      touch: true,
      "lock.run": "entered",
      inspect: grant.fence,
      "save under the grant": aNumber,
      list: true,
      delete: true,
      release: true,
      forceRelease: false,
    });
    expect(grant.signal.aborted).toBe(false);
  });
});
