// What goes wrong on Redis under holdfast/statefulpy: lost locks, lost replies, keys that something else has written.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RedisBackend, type StateBackend } from "holdfast/statefulpy";

import { poll } from "../../support/poll.ts";
import { startProxy, type Proxy } from "../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const code = (name: string, more: object = {}): unknown => expect.objectContaining({ code: name, ...more });
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));

let redis: RedisServer;
let proxy: Proxy;
let backend: StateBackend;
let opened: StateBackend[];
beforeAll(async () => {
  redis = await startRedis({ prefixes: ["statefulpy:"] });
});
beforeEach(async () => {
  await redis.command("FLUSHALL");
  proxy = await startProxy(redis);
  opened = [];
  backend = open();
  return async () => {
    await Promise.all(opened.map((one) => one.close()));
    await proxy.close();
  };
});
afterAll(() => redis.stop());

function open(options: { lockTimeout?: number } = {}): StateBackend {
  const { credentials } = redis;
  const redisUrl = `redis://${credentials}@127.0.0.1:${String(proxy.port)}`;
  const made = new RedisBackend({ redisUrl, serializer: "json", ...options });
  opened.push(made);
  return made;
}

describe("a lock that is deleted or taken", () => {
  test("aborts its owner's signal at the next renewal, and its saves are refused until it releases", async () => {
    backend = open({ lockTimeout: 900 });
    await backend.owner(async ({ signal }) => {
      await backend.acquireLock("x");
      await backend.acquireLock("x");
      await backend.saveState("x", { n: 1 });
      const lost = aborted(signal);
      await redis.command("SET", "statefulpy:lock:x", "1700000000.5");
      expect(await lost).toEqual(code("LOCK_LOST"));
      await expect(backend.saveState("x", { n: 2 })).rejects.toEqual(code("LOCK_LOST"));
      await expect(backend.acquireLock("x")).rejects.toEqual(code("LOCK_LOST"));
      await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
      await expect(backend.saveState("x", { n: 2 })).rejects.toEqual(code("LOCK_LOST"));
      await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
      await expect(backend.acquireLock("x", 0)).rejects.toThrow('a Python process (token "1700000000.5")');
    });
    expect(await backend.loadState("x")).toEqual({ n: 1 });
    expect(await redis.command("GET", "statefulpy:lock:x")).toBe("1700000000.5");
  });

  test("is noticed by the save itself, before any renewal", async () => {
    await backend.owner(async ({ signal }) => {
      await backend.acquireLock("x");
      await redis.command("DEL", "statefulpy:lock:x");
      await expect(backend.saveState("x", {})).rejects.toEqual(code("LOCK_LOST", { outcome: "none" }));
      expect(signal.aborted).toBe(true);
      await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
    });
    expect(await redis.keys()).toEqual([]);
  });

  test("is noticed by the release, and by an owner() that ends with it; the result is not lost", async () => {
    await expect(
      backend.owner(async () => {
        await backend.acquireLock("x");
        await redis.command("DEL", "statefulpy:lock:x");
        return 7;
      }),
    ).rejects.toEqual(code("LOCK_LOST", { result: 7 }));
    await backend.acquireLock("x", 0);
    await redis.command("DEL", "statefulpy:lock:x");
    await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
    await expect(backend.releaseLock("x")).rejects.toEqual(code("INVALID_ARGUMENT"));
  });

  test("is taken for lost when its lease ends, if no renewal is answered", async () => {
    backend = open({ lockTimeout: 1_000 });
    await backend.owner(async ({ signal }) => {
      await backend.acquireLock("x");
      const lost = aborted(signal);
      proxy.frozen = true;
      expect(await lost).toEqual(code("LOCK_LOST"));
      proxy.frozen = false;
      await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
    });
  });
});

test("timeout 0 tries once, even behind others that wait, and does not overtake them", async () => {
  await redis.command("SET", "statefulpy:lock:x", "1.5");
  const waiting = backend.acquireLock("x", 60);
  const asks = (): number => proxy.seen.filter(({ name }) => name === "plainAcquire").length;
  await poll(asks).toBeGreaterThan(0);
  const before = asks();
  for (let n = 0; n < 5; n += 1)
    await expect(backend.acquireLock("x", 0)).rejects.toEqual(code("LOCK_TIMEOUT"));
  expect(asks()).toBeGreaterThan(before + 2); // one that was under way counts for two
  await redis.command("DEL", "statefulpy:lock:x");
  await backend.acquireLock("x", 0).catch(() => undefined);
  expect(await waiting).toBe(true);
  await backend.releaseLock("x");
});

describe("a reply that is lost", () => {
  test("of an ask: it gets its lock nevertheless, once", async () => {
    proxy.strike("plainAcquire", "lose-reply");
    expect(await backend.acquireLock("x", 0)).toBe(true);
    expect(await backend.releaseLock("x")).toBe(true);
    expect(await redis.keys()).toEqual([]);
  });

  test("of a save under a lock: it is repeated, and refused if the lock was lost in between", async () => {
    const owner = backend.createOwner();
    await backend.acquireLock("x", 0, { owner });
    proxy.strike("plainSave", "lose-reply");
    expect(await backend.saveState("x", { n: 1 }, { owner })).toBe(true);
    let copies = 0;
    proxy.fault = ({ name }) => {
      if (name !== "plainSave" || (copies += 1) > 1) return undefined;
      void redis.command("DEL", "statefulpy:lock:x");
      return "lose-reply";
    };
    const saved = backend.saveState("x", { n: 2 }, { owner });
    await expect(saved).rejects.toEqual(code("LOCK_LOST", { outcome: "unknown" }));
  });

  test("of a save without a lock: it is not repeated, since that could undo what another has written", async () => {
    await backend.loadState("x");
    proxy.strike("SET", "lose-reply");
    const saved = backend.saveState("x", { n: 1 });
    await expect(saved).rejects.toEqual(code("UNREACHABLE", { outcome: "unknown" }));
    expect(proxy.seen.filter(({ name }) => name === "SET")).toHaveLength(1);
    expect(await backend.loadState("x")).toEqual({ n: 1 });
    proxy.strike("SET", "lose-request");
    await expect(backend.saveState("x", { n: 2 })).rejects.toEqual(code("UNREACHABLE"));
  });

  test("of a release: the lock is free", async () => {
    await backend.acquireLock("x");
    proxy.strike("plainRelease", "lose-reply");
    expect(await backend.releaseLock("x")).toBe(true);
    expect(await redis.keys()).toEqual([]);
  });

  test("of a renewal: the next one counts", async () => {
    backend = open({ lockTimeout: 900 });
    await backend.owner(async ({ signal }) => {
      await backend.acquireLock("x");
      proxy.strike("plainRenew", "lose-reply");
      await poll(() => proxy.seen.filter(({ name }) => name === "plainRenew").length).toBeGreaterThan(2);
      expect(signal.aborted).toBe(false);
    });
  });
});

describe("keys of something else", () => {
  test("of another type are refused, and left as they are", async () => {
    await redis.command("RPUSH", "statefulpy:state:x", "1");
    await redis.command("RPUSH", "statefulpy:lock:x", "1");
    await expect(backend.loadState("x")).rejects.toEqual(code("CORRUPT_STATE"));
    await expect(backend.acquireLock("x")).rejects.toEqual(code("CORRUPT_STATE"));
    expect(await redis.command("TYPE", "statefulpy:lock:x")).toBe("list");
  });

  test("damaged bytes are refused, and left as they are; None is not taken for absence", async () => {
    for (const bytes of ["", "{", "\xff", "null", "NaN", "[1]x"]) {
      await redis.command("SET", "statefulpy:state:x", bytes);
      await expect(backend.loadState("x")).rejects.toEqual(code("CORRUPT_STATE"));
    }
    expect(await redis.command("GET", "statefulpy:state:x")).toBe("[1]x");
  });

  test("a time to live goes with a save, as in Python", async () => {
    await redis.command("SET", "statefulpy:state:x", "{}", "EX", "100");
    await backend.saveState("x", { n: 1 });
    expect(await redis.command("TTL", "statefulpy:state:x")).toBe(-1);
    await backend.acquireLock("x");
    await redis.command("EXPIRE", "statefulpy:state:x", "100");
    await backend.saveState("x", { n: 2 });
    expect(await redis.command("TTL", "statefulpy:state:x")).toBe(-1);
  });
});

test("a server that is down is an error of each call, not an absent state", async () => {
  const gone = new RedisBackend({ redisUrl: "redis://127.0.0.1:1", serializer: "json" });
  const calls = [gone.loadState("x"), gone.saveState("x", {}), gone.acquireLock("x", 0), gone.healthcheck()];
  for (const call of calls) call.catch(() => undefined);
  for (const call of calls) await expect(call).rejects.toEqual(code("UNREACHABLE", { outcome: "none" }));
  await gone.close();
});
