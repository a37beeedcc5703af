// What can happen to the processes of a test world: crashes and outages.

import { expect, test } from "vitest";

import { open } from "../../../src/index.ts";
import { createTestWorld, type TestWorld } from "../../../src/testing/index.ts";

function inWorld(title: string, body: (world: TestWorld) => Promise<void>): void {
  test(title, { timeout: 15_000 }, async () => {
    await using world = createTestWorld();
    await body(world);
  });
}

/** Whether it has settled by now. */
async function hasSettled(world: TestWorld, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await world.settle();
  return settled;
}

inWorld("a crashed process releases nothing: its lease ends by time", async (world) => {
  const other = world.process("worker-2");
  const grant = await other.store.lock("x").acquire({ leaseMs: 10_000 });
  other.crash();
  const released = grant.release();
  await world.advance(9_000);
  expect(await world.store.lock("x").tryAcquire()).toBeNull();
  await world.advance(1_001);
  expect(await world.store.lock("x").tryAcquire()).not.toBeNull();
  expect(await hasSettled(world, released)).toBe(false);
});

inWorld("calls in progress of a crashed process never settle, and change nothing", async (world) => {
  const other = world.process("worker-2");
  const held = await world.store.lock("x").acquire();
  const waiting = other.store.lock("x").acquire({ waitMs: 1_000 });
  await world.settle();
  other.crash();
  const saving = other.store.state("y").save(1);
  await held.release();
  await world.advance(120_000);
  expect([await hasSettled(world, waiting), await hasSettled(world, saving)]).toEqual([false, false]);
  expect(await world.store.state("y").load()).toBeUndefined();
  expect(await world.until(world.store.lock("x").run(() => "free"))).toBe("free");
});

inWorld("a leader is replaced after its crash, with a greater fence", async (world) => {
  const other = world.process("worker-2");
  const fences: number[] = [];
  void other.store.leader("boss").run(async ({ fence }) => {
    fences.push(fence);
    await world.sleep(1e9);
  });
  await world.settle();
  const second = world.store.leader("boss").run(({ fence }) => void fences.push(fence));
  await world.advance(60_000);
  expect(fences).toHaveLength(1);
  other.crash();
  await world.until(second, { withinMs: 30_000 });
  expect(fences[1]).toBeGreaterThan(fences[0] ?? Infinity);
});

inWorld("a once is tried again after a crash", async (world) => {
  const other = world.process("worker-2");
  const once = (store: typeof world.store) => store.once("charge", { keepMs: 60_000 });
  void once(other.store).run(() => world.sleep(1e9));
  await world.settle();
  expect(await once(world.store).tryRun(() => 1)).toBeNull();
  other.crash();
  const attempts = world.until(once(world.store).run(({ attempt }) => attempt));
  expect(await attempts).toBe(2);
});

inWorld("a process that is started again after its crash is another one", async (world) => {
  const first = world.process("worker-2");
  await first.store.lock("x").acquire();
  first.crash();
  const second = world.process("worker-2", { leaseMs: 500 });
  expect([second === first, first.isDead, second.isDead]).toEqual([false, true, false]);
  expect(await second.store.lock("x").tryAcquire()).toBeNull();
});

inWorld("in an outage calls are retried and then fail; afterwards they succeed", async (world) => {
  const state = world.store.state("x");
  const outage = world.outage();
  const failing = state.save(1);
  await world.advance(4_000);
  expect(await hasSettled(world, failing)).toBe(false);
  await expect(world.until(failing)).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  const late = state.save(2);
  await world.advance(1_000);
  outage.end();
  await world.until(late);
  expect(await state.load()).toBe(2);
});

inWorld("a lock survives a short outage of one process, and is lost in a long one", async (world) => {
  const other = world.process("worker-2");
  const [grant, theirs] = await Promise.all([
    world.store.lock("x").acquire(),
    other.store.lock("y").acquire(),
  ]);
  const short = world.process("main").outage({ forMs: 5_000 });
  await world.advance(20_000);
  expect(grant.signal.aborted).toBe(false);
  short.end(); // it is over already
  const long = world.process("main").outage({ forMs: 60_000 });
  await world.advance(60_000);
  expect([grant.signal.aborted, theirs.signal.aborted]).toEqual([true, false]);
  long.end();
  expect(await world.store.state("z").load()).toBeUndefined();
});

inWorld("a waiter that lost its wake in an outage gets the lock afterwards", async (world) => {
  const other = world.process("worker-2");
  const held = await world.store.lock("x").acquire();
  const waiting = other.store.lock("x").acquire({ waitMs: 60_000 });
  await world.settle();
  {
    using _outage = other.outage();
    await held.release();
    await world.advance(1_000);
  }
  await world.until(waiting, { withinMs: 1_000 });
});

test("there is one world at a time, it closes with what it holds, and time goes on afterwards", async () => {
  const world = createTestWorld();
  expect(() => createTestWorld()).toThrow(/one at a time/);
  const grant = await world.store.lock("x").acquire();
  world.outage();
  world.process("worker-2").crash();
  await world.close();
  await world.close();
  expect(grant.signal.reason).toMatchObject({ code: "CLOSED" });
  expect(() => world.process("main")).toThrow(/closed/);
  await using store = open("memory:");
  await using _held = await store.lock("x").acquire();
  await expect(store.lock("x").acquire({ waitMs: 20 })).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
  await createTestWorld().close();
});

inWorld("what cannot be is refused", async (world) => {
  await expect(world.advance(-1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(world.advance(NaN)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(() => world.process("")).toThrow(/needs a name/);
  expect(() => world.outage({ forMs: -1 })).toThrow(/forMs/);
  expect(() => createTestWorld({ clock: 1 } as object)).toThrow(/no option "clock"/);
  await expect(world.until(new Promise(() => undefined), { withinMs: 100 })).rejects.toThrow(
    /outside of the world/,
  );
});

test("fake timers: what is not fake is refused, and a failed world is not in the way of the next", async () => {
  const advanceTimers = (): void => undefined;
  expect(() => createTestWorld({ advanceTimers })).toThrow(/install fake timers first/);
  expect(() => createTestWorld({ open: { leaseMs: 1 } })).toThrow(/leaseMs/);
  await createTestWorld().close();
});

test("the same program takes the same turns again, also in an outage", async () => {
  async function turns(): Promise<string[]> {
    await using world = createTestWorld();
    const order: string[] = [];
    const runs = ["a", "b", "c"].map(async (name) => {
      const lock = world.process(name).store.lock("x");
      for (let n = 0; n < 3; n += 1)
        await lock.run(
          async () => {
            order.push(`${name}@${String(world.now)}`);
            await world.sleep(10);
          },
          { waitMs: 60_000 },
        );
    });
    world.outage({ forMs: 700 });
    await world.until(Promise.all(runs));
    return order;
  }
  const first = await turns();
  expect(first).toHaveLength(9);
  expect([await turns(), await turns()]).toEqual([first, first]);
});

test("a world that was left open is named with the place where it was created", async () => {
  await using _world = createTestWorld();
  expect(() => createTestWorld()).toThrow(
    expect.objectContaining({
      message: expect.stringContaining("close it first") as string,
      cause: expect.objectContaining({
        stack: expect.stringContaining("test-world-failures.test.ts") as string,
      }) as Error,
    }) as Error,
  );
});
