// stateful() of holdfast/statefulpy: the state of a call, of calls inside of it, and after it.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stateful, type StatefulFunction } from "holdfast/statefulpy";

import { kinds, serializers, World } from "./backends.ts";

interface Counts {
  count?: number;
  list?: number[];
}

const cases = kinds.flatMap((kind) => serializers.map((serializer) => ({ kind, serializer })));

describe.each(cases)("$kind, $serializer", ({ kind, serializer }) => {
  const world = new World(kind);
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  test("keeps its state between calls, also of other backends; calls take turns", async () => {
    const make = (): StatefulFunction<Counts, [by: number], number> => {
      const counter: StatefulFunction<Counts, [by: number], number> = stateful(
        async function counter1(by: number): Promise<number> {
          const count = (counter.state.count ?? 0) + by;
          await new Promise((resolve) => setTimeout(resolve, 2));
          return (counter.state.count = count);
        },
        { backend: world.open({ serializer }) },
      );
      return counter;
    };
    const [one, two] = [make(), make()];
    expect(one.state).toEqual({});
    const results = await Promise.all([one(1), one(1), two(1), one(1), two(1), two(1)]);
    expect(results.sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Math.max(one.state.count!, two.state.count!)).toBe(6);
    expect(one.name).toBe("counter1");
    expect(await world.open({ serializer }).loadState("counter1")).toEqual({ count: 6 });
  });

  test("outside of a call, the state is a frozen copy", async () => {
    const note: StatefulFunction<Counts, [], void> = stateful(() => void (note.state = { list: [1] }), {
      backend: world.open({ serializer }),
      id: "note",
    });
    expect(Object.isFrozen(note.state)).toBe(true);
    await note();
    expect(note.state).toEqual({ list: [1] });
    expect(() => note.state.list!.push(2)).toThrow(TypeError);
    expect(() => (note.state = {})).toThrow("while it runs");
  });

  test("recursion shares the state and the lock; what throws saves nothing", async () => {
    const backend = world.open({ serializer });
    const down: StatefulFunction<Counts, [n: number], void> = stateful(
      async (n: number): Promise<void> => {
        down.state.list = [...(down.state.list ?? []), n];
        if (n > 0) await down(n - 1);
        if (n === 9) throw new Error("nine");
      },
      { backend, id: "down" },
    );
    await down(2);
    expect(await backend.loadState("down")).toEqual({ list: [2, 1, 0] });
    await expect(down(9)).rejects.toThrow("nine");
    expect(await backend.loadState("down")).toEqual({ list: [2, 1, 0] });
    expect(down.state).toEqual({ list: [2, 1, 0] });
    expect(await backend.acquireLock("down", 0)).toBe(true);
    await backend.releaseLock("down");
  });

  test("two functions that call each other, and an owner() that holds the lock already", async () => {
    const backend = world.open({ serializer });
    const ping: StatefulFunction<Counts, [n: number], void> = stateful(
      async (n: number) => {
        ping.state.count = (ping.state.count ?? 0) + 1;
        if (n > 0) await pong(n - 1);
      },
      { backend, id: "ping" },
    );
    const pong: StatefulFunction<Counts, [n: number], void> = stateful((n: number) => ping(n), {
      backend,
      id: "pong",
    });
    await backend.owner(async () => {
      await backend.acquireLock("ping");
      await ping(3);
      await backend.saveState("ping", { count: 10 });
      await ping(0);
    });
    expect(await backend.loadState("ping")).toEqual({ count: 11 });
  });

  test("what is no state of a function is refused, and so are bad arguments", async () => {
    const backend = world.open({ serializer });
    const broken = stateful(() => 1, { backend, id: "broken" });
    await backend.saveState("broken", 7);
    await expect(broken()).rejects.toMatchObject({ code: "CORRUPT_STATE" });
    for (const wrong of [
      () => stateful(() => 1, { backend }),
      () => stateful(() => 1, { backend: {} as never, id: "x" }),
      () => stateful(1 as never, { backend, id: "x" }),
      () => stateful(() => 1, { backend, id: "" }),
    ])
      expect(wrong).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
  });

  test("a function whose lock is lost while it runs saves nothing, and its error has the result", async () => {
    const backend = world.open({ serializer, lockTimeout: 300 });
    const slow: StatefulFunction<Counts, [], number> = stateful(
      () => {
        slow.state.count = 1;
        const until = performance.now() + 400; // blocks the event loop, and so renewals
        while (performance.now() < until);
        return 7;
      },
      { backend, id: "slow" },
    );
    await expect(slow()).rejects.toMatchObject({ code: "LOCK_LOST", result: 7 });
    expect(await backend.loadState("slow")).toBeNull();
  });
});

test("a function is not called without its lock, for which it waits 10 s", async () => {
  const world = new World("redis");
  await world.start();
  const [holder, backend] = [world.open(), world.open()];
  let calls = 0;
  const busy = stateful(() => (calls += 1), { backend, id: "busy" });
  await holder.acquireLock("busy");
  const began = performance.now();
  await expect(busy()).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
  expect(performance.now() - began).toBeGreaterThan(9_900);
  expect(calls).toBe(0);
  await world.stop();
});
