// A store with an index of its ids: who may open it, how it is built and dropped, and what it saves.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { open, type OpenOptions, type Store } from "../../../../src/index.ts";
import { partsOf } from "../../../../src/open.ts";
import { documentedIndexRights } from "../../../support/acl.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ rights: documentedIndexRights() });
});
afterAll(() => server.stop());
beforeEach(() => server.command("FLUSHALL"));

const using = async <T>(options: OpenOptions, fn: (store: Store) => Promise<T>): Promise<T> => {
  const store = open(server.url, options);
  try {
    return await fn(store);
  } finally {
    await store.close({ drainMs: 0 });
  }
};
const indexed = <T>(fn: (store: Store) => Promise<T>): Promise<T> => using({ index: true }, fn);
const plain = <T>(fn: (store: Store) => Promise<T>): Promise<T> => using({}, fn);
const change = async (action: "build" | "drop") => {
  const [backend] = partsOf(server.url, {});
  return await backend?.changeIndex(action);
};
const ids = async (store: Store, options: Parameters<Store["states"]>[0] = {}): Promise<string[]> => {
  const found: string[] = [];
  for await (const { id } of store.states(options)) found.push(id);
  return found;
};
const members = (): Promise<unknown> => server.command("ZRANGE", "holdfast:index", "0", "-1");

describe("who may open it", () => {
  test("[S1] a client without the index is refused where there is one, and the other way round", async () => {
    await indexed((store) => store.ready());
    await expect(plain((store) => store.ready())).rejects.toThrow(/index: true.*holdfast index drop/s);
    await server.command("FLUSHALL");
    await plain((store) => store.state("x").save(1));
    await expect(indexed((store) => store.ready())).rejects.toThrow(/holdfast index build/);
    expect(await plain((store) => store.state("x").load())).toBe(1);
  });

  test("[S1] [S2] a client that has been running since before is refused, and writes nothing", async () => {
    for (const [own, action] of [
      [false, "build"],
      [true, "drop"],
    ] as const) {
      await server.command("FLUSHALL");
      await using({ index: own }, async (running) => {
        const state = running.state<number>("x");
        const before = await state.save(1);
        const grant = await running.lock("held").acquire();
        await grant.release();
        expect(await change(action)).toMatchObject({ changed: true });
        await expect(state.save(2)).rejects.toThrow(/built or dropped after this process/);
        await expect(state.update(() => 3)).rejects.toThrow(/built or dropped/);
        await expect(running.lock("held").acquire()).rejects.toThrow(/built or dropped/);
        await expect(running.state("new").save(1)).rejects.toThrow(/built or dropped/);
        const two = [running.state("new"), running.state("other")] as const;
        await expect(running.transact(two, (drafts) => void (drafts[0] = 1))).rejects.toThrow(/built or/);
        await using({ index: !own }, async (store) => {
          expect(await ids(store)).toEqual(["x"]);
          expect(await store.state("x").load()).toBe(1);
          expect(await store.state<number>("x").save(4)).toBeGreaterThan(before);
        });
      });
    }
  });

  test("[S1] the first of two that race for a new store decides", async () => {
    const [one, other] = [open(server.url, { index: true }), open(server.url)];
    const saves = await Promise.allSettled([one.state("a").save(1), other.state("b").save(1)]);
    expect(saves.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await Promise.all([one.close(), other.close()]);
  });

  test("[S2] after the server has lost everything, only one kind of client goes on", async () => {
    const [one, other] = [open(server.url, { index: true }), open(server.url)];
    await one.state("a").save(1);
    await server.command("FLUSHALL");
    await other.state("b").save(1);
    await expect(one.state("a").save(2)).rejects.toThrow(/built or dropped/);
    await expect(one.state("a").save(2)).rejects.toThrow(/built or dropped/);
    expect(await plain((store) => ids(store))).toEqual(["b"]);
    await Promise.all([one.close(), other.close()]);
  });
});

describe("what is in it", () => {
  test("[S1] every way to save a new state enters it; a delete leaves it", async () => {
    await indexed(async (store) => {
      await store.state("save").save(1);
      await store.state<number>("update", { initial: () => 0 }).update((n) => n + 1);
      await store
        .lock("run")
        .acquire()
        .then((grant) => grant.release());
      const pair = [store.state<number>("t1"), store.state<number>("t2")] as const;
      await store.transact(pair, (drafts) => {
        drafts[0] = 1;
        drafts[1] = 2;
      });
      await store.state("large").save("x".repeat(400_000));
      const many = Array.from({ length: 20 }, (_, n) =>
        store.state<number>(`m${String(n)}`, { initial: () => 0 }),
      );
      await Promise.all(many.map((state) => state.update((n) => n + 1)));
      const all = ["save", "update", "t1", "t2", "large", ...many.map(({ id }) => id)].sort();
      expect(await members()).toEqual(all);
      for (const id of ["save", "t1", "m7"]) await store.state(id).delete();
      expect(await members()).toEqual(all.filter((id) => !["save", "t1", "m7"].includes(id)));
    });
  });

  test("[S1] entries of states that have gone are removed when a listing meets them", async () => {
    await indexed(async (store) => {
      for (const id of ["a", "b", "c"]) await store.state(id).save(1);
      await server.command("DEL", "holdfast:state:{b}");
      expect(await store.count()).toEqual({ count: 3, exact: false });
      expect(await ids(store, { order: "desc" })).toEqual(["c", "a"]);
      expect(await members()).toEqual(["a", "c"]);
      expect(await store.count()).toEqual({ count: 2, exact: false });
    });
  });

  test("[S1] a listing reads no keys of others", async () => {
    await indexed(async (store) => {
      for (let n = 0; n < 10; n += 1) await store.state(`mine:${String(n)}`).save(n);
      const script = "for i = 1, 20000 do redis.call('SET', 'foreign:' .. i, 'x') end";
      await server.command("EVAL", script, "0");
      await server.command("CONFIG", "RESETSTAT");
      expect(await ids(store, { idPrefix: "mine:" })).toHaveLength(10);
      const stats = String(await server.command("INFO", "commandstats"));
      expect(stats).toContain("cmdstat_zrangebylex:calls=1");
      expect(stats).not.toContain("cmdstat_scan");
      expect(stats).toContain("cmdstat_evalsha:calls=1");
    });
  });

  test("[S2] something else in the place of the index stops a save before anything is written", async () => {
    await indexed(async (store) => {
      await store.state("old").save(1);
      await server.command("SET", "holdfast:index", "x");
      await expect(store.state("a").save(1)).rejects.toMatchObject({ code: "CORRUPT_STATE" });
      const pair = [store.state<number>("old"), store.state<number>("a")] as const;
      const both = store.transact(pair, (drafts) => {
        drafts[0] = 2;
        drafts[1] = 2;
      });
      await expect(both).rejects.toMatchObject({ code: "CORRUPT_STATE" });
      expect(await store.state("old").load()).toBe(1);
      expect(await store.state("a").load()).toBeUndefined();
    });
  });
});

describe("building and dropping", () => {
  test("[S1] [S2] a build finds every state, may be interrupted, and may be repeated", async () => {
    const all = Array.from({ length: 2_500 }, (_, n) => `s${String(n).padStart(4, "0")}`);
    const revision = await plain(async (store) => {
      await Promise.all(all.map((id) => store.state(id).save(1)));
      return await store.state("s0000").save(2);
    });
    expect(await change("build")).toEqual({ changed: true, ids: all.length });
    expect(await change("build")).toEqual({ changed: false, ids: 0 });
    await indexed(async (store) => {
      expect(await ids(store, { order: "asc" })).toEqual(all);
      expect(await store.state("s0000").save(3)).toBeGreaterThan(revision);
    });
    await server.command("SET", "holdfast:index:building", "1");
    await server.command("ZREM", "holdfast:index", "s0007");
    await expect(indexed((store) => store.ready())).rejects.toThrow(/is being built/);
    expect(await change("build")).toEqual({ changed: true, ids: 1 });
    expect(await indexed((store) => ids(store))).toEqual(all);
    expect(await change("drop")).toEqual({ changed: true, ids: 0 });
    expect(await change("drop")).toEqual({ changed: false, ids: 0 });
    expect(await server.command("EXISTS", "holdfast:index")).toBe(0);
    expect((await plain((store) => ids(store))).sort()).toEqual(all);
  });

  test("[L1] nothing is done while a lock is held", async () => {
    await plain(async (store) => {
      await using({}, async (other) => {
        const grant = await store.lock("x").acquire();
        await expect(change("build")).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
        await grant.release();
        await other.state("y").save(1);
      });
    });
  });

  test("[P1] without an index, an order is refused, with advice", async () => {
    await plain(async (store) => {
      await expect(ids(store, { order: "asc" })).rejects.toThrow(/index: true/);
      await expect(ids(store, { after: "a" })).rejects.toThrow(/index: true/);
    });
  });
});

test("[S5] [S6] a key that is no index stops saveMany before its first write", async () => {
  await indexed(async (store) => {
    await store.state("there").save(1);
    await server.command("DEL", "holdfast:index");
    await server.command("SET", "holdfast:index", "not an index");
    const entries = ["there", "new"].map((id) => ({ id, value: 2 }));
    for (const { error } of await store.saveMany(entries))
      expect(error).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
    expect(await store.state("there").load()).toBe(1);
  });
});
