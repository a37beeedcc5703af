// A key-value cache, as Keyv's users know it, through an adapter.
//
// Seen failing: an adapter that clears the whole store, or keeps the life of the value before.

import Keyv from "keyv";
import { expect } from "vitest";

import { KeyvStore } from "./adapters/keyv.ts";
import { testOnEachBackend } from "./behaviours.ts";

testOnEachBackend({
  "values of several kinds, and of none": async ({ stores: [a, b] }) => {
    const [mine, theirs] = [a, b].map(
      (store) => new Keyv({ store: new KeyvStore(store), namespace: "kinds" }),
    );
    for (const value of [false, null, 0, "'\"", { deep: ["ü", { n: 1.5 }] }]) {
      await mine?.set("a key: with {marks}\n", value);
      expect(await theirs?.get("a key: with {marks}\n")).toEqual(value);
    }
    expect(await theirs?.get("no such key")).toBeUndefined();
  },

  "a time to live, and none from then on": async ({ stores: [a, b] }) => {
    const [mine, theirs] = [a, b].map((store) => new Keyv({ store: new KeyvStore(store), namespace: "ttl" }));
    await mine?.set("short", 1, 60_000);
    const state = b.within("keyv:").state(b.id("ttl:short"), { serializer: "text" });
    expect((await state.read())?.expiresInMs).toBeGreaterThan(50_000);
    await theirs?.set("short", 2);
    expect((await state.read())?.expiresInMs).toBe(null);
  },

  "many at once, and deletes that answer": async ({ stores: [a] }) => {
    const cache = new Keyv({ store: new KeyvStore(a), namespace: "many" });
    for (const key of ["a", "b", "c"]) await cache.set(key, key.toUpperCase());
    expect(await cache.get(["c", "none", "a"])).toEqual(["C", undefined, "A"]);
    expect([await cache.has("a"), await cache.has("none")]).toEqual([true, false]);
    expect([await cache.delete("a"), await cache.delete("a")]).toEqual([true, false]);
    expect([await cache.delete(["b", "c"]), await cache.delete(["b", "c"])]).toEqual([true, false]);
  },

  "clear() leaves other namespaces, and all that is not the cache's": async ({ stores: [a] }) => {
    const [one, two] = ["one", "one:two"].map(
      (namespace) => new Keyv({ store: new KeyvStore(a), namespace }),
    );
    await a.state("one:x").save("not of the cache");
    await one?.set("x", 1);
    await two?.set("x", 2);
    await two?.clear();
    expect([await one?.get("x"), await two?.get("x")]).toEqual([1, undefined]);
    expect(await a.state("one:x").load()).toBe("not of the cache");
  },
});
