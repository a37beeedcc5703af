// What happens between two looks at the clock, and in backends that are not as they should be.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test, vi } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";

test("[L6] a lease that ends while the release is under way: release does not throw", async () => {
  const store = open(new MemoryBackend(), { leaseMs: 100 });
  // A subscriber that blocks beyond the lease, wherever in the release it is called.
  const block = (): void => {
    const until = performance.now() + 200;
    while (performance.now() < until);
  };
  subscribe("holdfast:release", block);
  try {
    const grant = await store.lock("x").acquire();
    const next = store.lock("x").acquire();
    expect(typeof (await grant.release())).toBe("boolean");
    expect(typeof (await (await next).release())).toBe("boolean");
  } finally {
    unsubscribe("holdfast:release", block);
    await store.close();
  }
});

test("[L2] callers of one lock share their line, however many others come and go", async () => {
  const backend = new MemoryBackend();
  const asking = vi.spyOn(backend, "acquireLock");
  const store = open(backend);
  const held = await store.lock("held").acquire();
  const first = store.lock("held").run(() => "first");
  for (let n = 0; n < 2_500; n += 1) await store.lock(`other ${String(n)}`).run(() => undefined);
  const second = store.lock("held").run(() => "second");
  await held.release();
  expect(await Promise.all([first, second])).toEqual(["first", "second"]);
  const tickets = asking.mock.calls.filter(([id]) => id === "held").map(([, ticket]) => ticket);
  expect(new Set(tickets).size).toBe(1); // one turn served all three
  await store.close();
});

test("[P2] a backend whose close rejects does not keep the store from closing", async () => {
  const backend = new MemoryBackend();
  backend.close = () => Promise.reject(new Error("no"));
  await open(backend).close();
});

test("[P2] a backend whose close hangs is given up after operationMs", async () => {
  const backend = new MemoryBackend();
  backend.close = () => new Promise(() => {});
  await open(backend, { operationMs: 50 }).close();
});

test("[P3] a store's name has host, port and database, and no password", () => {
  expect(open("redis://me:secret@cache/3").name).toBe("redis://cache:6379/3");
});

test("a Redis URL that cannot be used is refused at the door, without its password", () => {
  for (const url of ["redis://:secret@h/abc", "redis://:secret@h/0?x=1", "redis:/localhost:99999/x"]) {
    expect(() => open(url)).toThrow(/Redis URL/);
    expect(() => open(url)).not.toThrow(/secret/);
  }
});

test("what looks like an address or a path is answered with what to write", () => {
  expect(() => open("localhost:6379")).toThrow(/redis:\/\/localhost:6379/);
  expect(() => open("./store.db")).toThrow(/sqlite:\.\/store\.db/);
});

test("the value that was given is shown, not what became of it", () => {
  expect(() => open("memory:", { leaseMs: "5s" as never })).toThrow(/got "5s"/);
  expect(() => open("memory:", { leaseMs: 100.5 })).toThrow(/100\.5/);
});
