// A store is moved to another number of shards: nothing is lost, whatever interrupts it, and nobody opens half of it.

import { beforeEach, describe, expect, test } from "vitest";

import type { Store } from "../../../src/index.ts";
import { UnavailableError } from "../../../src/index.ts";
import type { Fault } from "../../../src/testing/index.ts";
import { misplaced, moved, openAt, TestPlace } from "./places.ts";

let [a, b, c, d]: TestPlace[] = [];
let one: TestPlace[];
let three: TestPlace[];

beforeEach(() => {
  [a, b, c, d] = ["a", "b", "c", "d"].map((name) => new TestPlace(name));
  one = [a!];
  three = [a!, b!, c!];
});

const ids = Array.from({ length: 40 }, (_, n) => `id-${n}`);

/** Returns the revisions. */
async function fill(places: readonly TestPlace[]): Promise<Map<string, number>> {
  const revisions = new Map<string, number>();
  const store = openAt(places);
  for (const id of ids) revisions.set(id, await store.state(id, { ttlMs: 600_000 }).save(`value of ${id}`));
  await store.close();
  return revisions;
}

async function holdsAll(places: readonly TestPlace[]): Promise<void> {
  const store = openAt(places);
  for (const id of ids) {
    const { value, expiresInMs } = (await store.state(id).read()) ?? {};
    expect(value).toBe(`value of ${id}`);
    expect(expiresInMs).toBeGreaterThan(500_000);
  }
  const listed: string[] = [];
  for await (const { id } of store.states()) listed.push(id);
  expect(listed.sort()).toEqual([...ids].sort());
  await store.close();
  expect(misplaced(places)).toEqual([]);
}

const refusal = (store: Store): Promise<Error> =>
  store.ready().then(
    () => Promise.reject(new Error("should have been refused")),
    (error: unknown) => store.close().then(() => error as Error),
  );

describe("[S1] [S7] a store is moved", () => {
  test("from one place to three and back", async () => {
    await fill(one);
    expect(await moved(one, three)).toBe(b!.ids.length + c!.ids.length);
    expect(b!.ids.length).toBeGreaterThan(5);
    await holdsAll(three);
    expect(three.map(({ mark }) => mark)).toEqual([1, 2, 3].map((shard) => ({ shard, of: 3 })));
    await moved(three, one);
    expect(three.map(({ mark }) => mark)).toEqual([null, null, null]);
    expect([b!.ids, c!.ids]).toEqual([[], []]);
    await holdsAll(one);
  });

  test("from three to two, in another order, with a new place", async () => {
    await fill(three);
    await moved(three, [d!, b!]);
    expect([a!.ids, c!.ids]).toEqual([[], []]);
    await holdsAll([d!, b!]);
  });

  test("to itself: nothing is done", async () => {
    await fill(three);
    expect(await moved(three, three)).toBe(0);
    await holdsAll(three);
  });

  test("again after it is complete: nothing is done", async () => {
    await fill(one);
    await moved(one, three);
    expect(await moved(one, three)).toBe(0);
    await moved(three, one);
    expect(await moved(three, one)).toBe(0);
    await holdsAll(one);
  });
});

test("[S2] [L3] revisions and fences go on rising, though the new place has a clock that is behind", async () => {
  a!.memory.stamp = 5e14; // far ahead of any clock of memory
  const before = await fill(one);
  const old = openAt(one);
  const fences = new Map<string, number>();
  for (const id of ids) await old.lock(id).run((grant) => void fences.set(id, grant.fence));
  await old.close();
  await moved(one, three);
  const store = openAt(three);
  for (const id of ids) {
    const { revision } = (await store.state(id).read())!;
    expect(revision).toBeGreaterThanOrEqual(before.get(id)!); // the same if it was not moved
    expect(await store.state(id).save("next")).toBeGreaterThan(revision);
    await store.lock(id).run((grant) => expect(grant.fence).toBeGreaterThan(fences.get(id)!));
  }
  await store.close();
});

describe("interrupted at each of its calls", () => {
  /** From the nth call on, nothing is answered; that one may have been carried out. */
  const crashAt = (nth: number, carriedOut: boolean, count = { calls: 0 }): Fault => {
    return async ({ carryOut }) => {
      count.calls += 1;
      if (count.calls < nth) return carryOut();
      if (count.calls === nth && carriedOut) await carryOut();
      throw new UnavailableError("it crashed", { lasting: true });
    };
  };

  type Places = () => [TestPlace[], TestPlace[]];
  test.each<[string, Places, boolean]>([
    ["one place to three", () => [one, three], false],
    ["one place to three, after the call", () => [one, three], true],
    ["three places to one", () => [three, one], false],
    ["three places to one, after the call", () => [three, one], true],
    ["three places to two others of them", () => [three, [d!, b!]], true],
  ])("[S1] %s: no client opens it, and the same call completes it", async (_, places, carriedOut) => {
    await fill(places()[0]);
    for (let nth = 1; ; nth += 3) {
      const [from, to] = places();
      const count = { calls: 0 };
      const error = await moved(from, to, crashAt(nth, carriedOut, count)).catch((cause: unknown) => cause);
      if (!(error instanceof Error) && count.calls < nth) break;
      const all = [...new Set([...from, ...to])];
      expect([...new Set(all.flatMap((place) => place.ids))].sort()).toEqual([...ids].sort());
      // Where some have moved and others have not, every place says so.
      if (misplaced(to).length > 0 && misplaced(from).length > 0)
        for (const place of all) expect(place.mark).toHaveProperty("to");
    }
    const [from, to] = places();
    await moved(from, to);
    await holdsAll(to);
  });

  test("[S1] a store that is being moved cannot be opened, and another move is refused", async () => {
    await fill(one);
    await expect(moved(one, three, crashAt(60, true))).rejects.toThrow("it crashed");
    expect((await refusal(openAt(three))).message).toContain(
      "belongs to a store whose states are being moved from a to a, b, c",
    );
    await expect(moved(one, [a!, d!])).rejects.toThrow("in the middle of a move from a to a, b, c");
    await expect(moved(three, one)).rejects.toThrow("in the middle of a move from a to a, b, c");
    await moved(one, three);
    await holdsAll(three);
  });
});

describe("refused, and nothing is changed", () => {
  test("[L1] while a lock is held", async () => {
    await fill(one);
    const store = openAt(one);
    const grant = await store.lock("busy").acquire();
    const error = await moved(one, three).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect((error as Error).message).toContain('the lock "busy" is held by');
    await grant.release();
    await store.close();
    await holdsAll(one);
    expect(three.map(({ mark }) => mark)).toEqual([null, null, null]);
  });

  test("to a place that has states", async () => {
    await fill(one);
    await fill([b!]);
    await expect(moved(one, three)).rejects.toThrow("b has states or locks already");
    expect(a!.mark).toBe(null);
  });

  test("from the wrong number of shards, or in the wrong order", async () => {
    await fill(three);
    await expect(moved([a!, b!], one)).rejects.toThrow("a should be shard 1 of 2, but it is shard 1 of 3");
    await expect(moved([b!, a!, c!], one)).rejects.toThrow("b should be shard 1 of 3");
    await expect(moved(one, [d!])).rejects.toThrow(
      "a should be a store of one shard, but it is shard 1 of 3",
    );
    await holdsAll(three);
  });

  test("between two names of the same place, which one of them is for", async () => {
    await fill(three);
    const alias = new TestPlace("the other name of d");
    Object.assign(alias, { memory: d!.memory });
    await expect(moved(three, [d!, alias])).rejects.toThrow("is the same place as another one of the list");
    await holdsAll(three);
    expect(d!.mark).toBe(null);
  });

  test("another name of a place of the store is that place", async () => {
    await fill(one);
    const alias = new TestPlace("the other name of b");
    Object.assign(alias, { memory: b!.memory });
    await moved(one, three);
    await expect(moved([a!, alias, c!], [a!, b!])).rejects.toThrow("b is shard 2 of 3");
    await holdsAll(three);
  });
});
