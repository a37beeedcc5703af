// Faults of holdfast/statefulpy that a search for races has found: each of these tests failed before it was mended.

import { renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RedisBackend, stateful, type StateBackend, type StatefulFunction } from "holdfast/statefulpy";

import { poll } from "../../support/poll.ts";
import { startProxy, type Proxy } from "../../support/proxy.ts";
import { kinds, World } from "./backends.ts";

const code = (name: string, more: object = {}): unknown => expect.objectContaining({ code: name, ...more });
/** Its result or its error, later. */
const settled = <T>(call: Promise<T>): Promise<PromiseSettledResult<T>> =>
  Promise.allSettled([call]).then(([result]) => result);

interface Counts {
  n?: number;
}

describe.each(kinds)("%s", (kind) => {
  const world = new World(kind);
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  test("a task that outlives its scope cannot save or release under the lock of a call outside of scopes", async () => {
    const [backend, other] = [world.open(), world.open()];
    let begin!: () => void;
    const gate = new Promise<void>((resolve) => (begin = resolve));
    let left!: Promise<unknown[]>;
    await backend.owner(async () => {
      await backend.acquireLock("left");
      left = gate.then(() =>
        Promise.all([settled(backend.saveState("left", {})), settled(backend.releaseLock("left"))]),
      );
    });
    await backend.acquireLock("left");
    begin();
    expect(await left).toEqual([
      { status: "rejected", reason: code("LOCK_LOST") },
      { status: "rejected", reason: code("INVALID_ARGUMENT") },
    ]);
    await expect(other.acquireLock("left", 0)).rejects.toEqual(code("LOCK_TIMEOUT"));
    await backend.releaseLock("left");
  });

  test("calls of a stateful function take turns inside of an owner() that holds its lock, too", async () => {
    const backend = world.open();
    const count: StatefulFunction<Counts, [], void> = stateful(
      async () => {
        const n = count.state.n ?? 0;
        await sleep(5);
        count.state.n = n + 1;
      },
      { backend, id: "turns" },
    );
    let late!: Promise<unknown>;
    await backend.owner(async () => {
      await backend.acquireLock("turns");
      await Promise.all([count(), count(), count()]);
      void settled(count());
      late = settled(count());
      await sleep(1);
    });
    expect(await backend.loadState("turns")).toEqual({ n: 3 });
    expect(await late).toEqual({ status: "rejected", reason: code("INVALID_ARGUMENT") });
  });

  test("a nested call that is not awaited does not succeed, since its changes are not saved", async () => {
    const backend = world.open();
    let nested!: Promise<PromiseSettledResult<void>>;
    const count: StatefulFunction<Counts, [depth: number], void> = stateful(
      async (depth: number) => {
        const { state } = count;
        if (depth > 0) nested = settled(count(depth - 1));
        else await sleep(30);
        state.n = (state.n ?? 0) + 1;
      },
      { backend, id: "unawaited" },
    );
    await backend.owner(async () => {
      await backend.acquireLock("unawaited");
      await count(1);
      expect(await nested).toEqual({ status: "rejected", reason: code("LOCK_LOST") });
    });
    expect(await backend.loadState("unawaited")).toEqual({ n: 1 });
  });

  test("close() leaves nothing of a health check behind that is under way", async () => {
    const [backend, reader] = [world.open(), world.open()];
    await backend.loadState("x");
    const check = settled(backend.healthcheck());
    await backend.close();
    expect(await check).toEqual({ status: "rejected", reason: code("CLOSED") });
    const found: string[] = [];
    for await (const { id } of reader.list({ idPrefix: "statefulpy_healthcheck" })) found.push(id);
    expect(found).toEqual([]);
  });
});

test("a state that contains itself can be looked at after the call", async () => {
  const world = new World("sqlite");
  await world.start();
  const loop: StatefulFunction<{ self?: object }, [], void> = stateful(
    () => void (loop.state.self = loop.state),
    { backend: world.open({ serializer: "pickle" }), id: "loop" },
  );
  await loop();
  expect(loop.state.self).toBe(loop.state);
  expect(Object.isFrozen(loop.state)).toBe(true);
  await world.stop();
});

test("a SQLite file that is replaced under a backend is not used any more: others would not be excluded", async () => {
  const world = new World("sqlite");
  await world.start();
  const one = world.open();
  await one.acquireLock("x");
  renameSync(world.path, `${world.path}.old`);
  const two = world.open();
  expect(await two.acquireLock("x", 0)).toBe(true);
  await expect(one.saveState("x", { n: 1 })).rejects.toThrow("was replaced or deleted");
  expect(await two.loadState("x")).toBeNull();
  await world.stop();
});

describe("Redis", () => {
  const world = new World("redis");
  let proxy: Proxy;
  let backend: StateBackend;
  let opened: StateBackend[];
  beforeAll(() => world.start());
  afterAll(() => world.stop());
  beforeEach(async () => {
    await world.redis.command("FLUSHALL");
    proxy = await startProxy(world.redis);
    opened = [];
    backend = open();
    return async () => {
      await Promise.all(opened.map((one) => one.close()));
      await proxy.close();
    };
  });

  function open(options: { lockTimeout?: number } = {}): StateBackend {
    const redisUrl = `redis://${world.redis.credentials}@127.0.0.1:${String(proxy.port)}`;
    const made = new RedisBackend({ redisUrl, serializer: "json", ...options });
    opened.push(made);
    return made;
  }

  const asks = (): number => proxy.seen.filter(({ name }) => name === "plainAcquire").length;

  test("a call outside of scopes that has lost the lock does not save or release under the next one's", async () => {
    backend = open({ lockTimeout: 300 });
    await backend.acquireLock("x");
    const next = settled(backend.acquireLock("x", 10));
    await world.redis.command("DEL", "statefulpy:lock:x");
    await poll(() => settled(backend.saveState("x", { by: "first" }))).toEqual({
      status: "rejected",
      reason: code("LOCK_LOST"),
    });
    await expect(backend.acquireLock("x", 0)).rejects.toThrow(
      "has lost it, and not called releaseLock() yet",
    );
    await backend.owner(() => backend.acquireLock("x", 0)); // another owner need not wait for that
    await expect(backend.releaseLock("x")).rejects.toEqual(code("LOCK_LOST"));
    expect(await next).toEqual({ status: "fulfilled", value: true });
    await backend.saveState("x", { by: "second" });
    expect(await world.redis.command("EXISTS", "statefulpy:lock:x")).toBe(1);
    await backend.releaseLock("x");
    expect(await world.redis.keys()).toEqual(["statefulpy:state:x"]);
  });

  test("a lock that is granted after its lease has ended is asked for again", async () => {
    backend = open({ lockTimeout: 300 });
    await backend.acquireLock("x");
    await backend.releaseLock("x");
    proxy.strike("plainAcquire", { delayMs: 350 });
    const before = asks();
    const acquiring = backend.acquireLock("x", 10);
    await poll(() => asks()).toBeGreaterThan(before + 1);
    proxy.cut(); // what comes later would be late on this connection as well
    await acquiring;
    expect(await world.redis.command("EXISTS", "statefulpy:lock:x")).toBe(1);
  });

  test("close() gives back a lock that an ask gets in the meantime", async () => {
    await backend.acquireLock("x");
    await backend.releaseLock("x");
    const before = asks();
    proxy.strike("plainAcquire", { delayMs: 100 });
    const acquiring = settled(backend.acquireLock("x"));
    await poll(() => asks()).toBe(before + 1);
    await backend.close();
    expect(await acquiring).toEqual({ status: "rejected", reason: code("CLOSED") });
    expect(await world.redis.keys()).toEqual([]);
  });

  test("a timeout of 0 tries by itself, not with an ask that was sent before", async () => {
    await world.redis.command("SET", "statefulpy:lock:x", "1.5");
    await backend.loadState("x");
    proxy.strike("plainAcquire", { delayMs: 200 });
    const aborter = new AbortController();
    const waiting = settled(backend.acquireLock("x", 10, { signal: aborter.signal }));
    await poll(() => asks()).toBe(1);
    await world.redis.command("GET", "x"); // the ask has been answered "busy", which is on its way
    await world.redis.command("DEL", "statefulpy:lock:x");
    aborter.abort(new Error("mine"));
    expect(await backend.acquireLock("x", 0)).toBe(true);
    expect(await waiting).toEqual({ status: "rejected", reason: new Error("mine") });
  });

  test("a refused save whose first attempt may have been carried out does not say that nothing was saved", async () => {
    await backend.acquireLock("x");
    let copies = 0;
    proxy.fault = ({ name }) => {
      if (name !== "plainSave" || (copies += 1) > 1) return undefined;
      void world.redis.command("DEL", "statefulpy:lock:x");
      return "lose-reply";
    };
    const error = await backend.saveState("x", { n: 1 }).catch((reason: unknown) => reason);
    expect(error).toEqual(code("LOCK_LOST", { outcome: "unknown" }));
    expect(String(error)).toContain("may have saved the state");
    expect(String(error)).not.toContain("not saved");
  });

  test("a lock whose release found no server is given back when there is one again, before its lease ends", async () => {
    await backend.acquireLock("x");
    proxy.fault = ({ name }) => (name === "plainRelease" ? "lose-request" : undefined);
    await expect(backend.releaseLock("x")).rejects.toEqual(code("UNREACHABLE"));
    proxy.fault = () => undefined;
    await poll(() => world.redis.command("EXISTS", "statefulpy:lock:x")).toBe(0);
  });

  test("a call whose state was saved succeeds, even if its release then finds no lock or no server", async () => {
    const count: StatefulFunction<Counts, [], number> = stateful(
      () => (count.state.n = (count.state.n ?? 0) + 1),
      { backend, id: "x" },
    );
    await count();
    proxy.strike("plainSave", { delayMs: 200 });
    const second = settled(count());
    await poll(() => world.redis.command("GET", "statefulpy:state:x")).toBe('{"n": 2}');
    await world.redis.command("DEL", "statefulpy:lock:x");
    expect(await second).toEqual({ status: "fulfilled", value: 2 });
    proxy.fault = ({ name }) => {
      if (name !== "plainRelease") return undefined;
      void backend.close(); // so that the release is not repeated
      return "lose-request";
    };
    expect(await settled(count())).toEqual({ status: "fulfilled", value: 3 });
  });

  test("an owner() returns its result, even if no server answers its release", async () => {
    await backend.loadState("x");
    proxy.fault = ({ name }) => {
      if (name !== "plainRelease") return undefined;
      void backend.close();
      return "lose-request";
    };
    const work = backend.owner(async () => {
      await backend.acquireLock("x");
      return 7;
    });
    expect(await settled(work)).toEqual({ status: "fulfilled", value: 7 });
  });

  test("a health check that cannot remove what it wrote says so", async () => {
    await backend.loadState("x");
    proxy.fault = ({ name }) => {
      if (name !== "DEL") return undefined;
      void backend.close(); // so that the removal is not repeated
      return "lose-request";
    };
    await expect(backend.healthcheck()).rejects.toEqual(code("UNREACHABLE"));
  });
});
