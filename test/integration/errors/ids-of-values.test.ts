// [S6] Every error about a value names the state that it is about: in its message, and as its `id`.

import { describe, expect, test } from "vitest";

import { json, sealed, type Serializer, type Store } from "../../../src/index.ts";
import { asItIs, backendNames, newKey, storesOn } from "../sealing/stores.ts";

const key = newKey("k1");
const choosy: Serializer = {
  name: "choosy",
  serialize: (value) => {
    if (value === "throws") throw new Error("mine");
    return value === "no bytes" ? ("text" as unknown as Uint8Array) : json.serialize(value);
  },
  deserialize: (bytes) => {
    const value = json.deserialize(bytes);
    if (value === "unreadable") throw new Error("not that one");
    return value;
  },
};

/** Each with the id "x", whose lock and state are there for it alone. */
const refusals: Readonly<Record<string, readonly [code: string, (store: Store) => Promise<unknown>]>> = {
  "save of what JSON cannot keep": ["SERIALIZATION", (store) => store.state("x").save(new Map())],
  "update to it": ["SERIALIZATION", (store) => store.state("x").update(() => new Map())],
  "run to it": [
    "SERIALIZATION",
    (store) =>
      store.state<object>("x", { initial: () => ({}) }).run((draft) => void Object.assign(draft, { d: NaN })),
  ],
  "transact to it": [
    "SERIALIZATION",
    (store) => store.transact([store.state("x")], (drafts) => void (drafts[0] = new Map())),
  ],
  "an initial value": ["SERIALIZATION", (store) => store.state("x", { initial: () => new Map() }).load()],
  "a text": ["SERIALIZATION", (store) => store.state("x", { serializer: "text" }).save(5)],
  bytes: ["SERIALIZATION", (store) => store.state("x", { serializer: "bytes" }).save(5)],
  pickle: ["SERIALIZATION", (store) => store.state("x", { serializer: "pickle" }).save(() => 1)],
  sealed: [
    "SERIALIZATION",
    (store) => store.state("x", { serializer: sealed("json", { keys: [key] }) }).save(new Map()),
  ],
  "a serializer that throws": [
    "SERIALIZATION",
    (store) => store.state("x", { serializer: choosy }).save("throws"),
  ],
  "one that returns no bytes": [
    "SERIALIZATION",
    (store) => store.state("x", { serializer: choosy }).save("no bytes"),
  ],
  "one that cannot read it": [
    "SERIALIZATION",
    (store) => store.state("x", { serializer: choosy }).update(() => "unreadable"),
  ],
  "a value that is too large": ["SERIALIZATION", (store) => store.state("x").save("x".repeat(2_000))],
  "another serializer, loaded": ["CORRUPT_STATE", (store) => foreign(store).then((state) => state.load())],
  "another serializer, saved": ["CORRUPT_STATE", (store) => foreign(store).then((state) => state.save(1))],
  "another serializer, updated": [
    "CORRUPT_STATE",
    (store) => foreign(store).then((state) => state.update(() => 1)),
  ],
  "another serializer, under a lock": [
    "CORRUPT_STATE",
    (store) => foreign(store).then((state) => store.lock("x").run(() => state.save(1))),
  ],
  "another serializer, in transact": [
    "CORRUPT_STATE",
    (store) => foreign(store).then((state) => store.transact([state], (drafts) => void (drafts[0] = 1))),
  ],
  "damaged JSON": [
    "CORRUPT_STATE",
    async (store) => {
      await store.state("x", { serializer: asItIs("json") }).save(Buffer.from("{"));
      return store.state("x").load();
    },
  ],
  "what is no sealed value": [
    "SEAL",
    async (store) => {
      await store.state("x", { serializer: asItIs("sealed-json") }).save(Buffer.from("{}"));
      return store.state("x", { serializer: sealed("json", { keys: [key] }) }).load();
    },
  ],
};

async function foreign(store: Store) {
  await store.state("x", { serializer: choosy }).save(0);
  return store.state<number>("x");
}

describe.each(backendNames)("[S6] on %s", (name) => {
  const stores = storesOn(name);

  test.each(Object.keys(refusals))("%s", async (title) => {
    const [code, refuse] = refusals[title] ?? [];
    const store = stores.open({ maxStateBytes: 1_000 });
    const error: unknown = await refuse?.(store).catch((thrown: unknown) => thrown);
    await store.state("x").delete();
    expect(error).toMatchObject({ code, id: "x", outcome: "none" });
    expect((error as Error).message).toContain('"x"');
  });

  test("the result of a once", async () => {
    const once = stores.open().once("x", { keepMs: 1_000 });
    const error: unknown = await once.run(() => new Map()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SERIALIZATION", id: 'once "x"' });
    expect((error as Error).message).toContain('once "x"');
  });

  test("what a leader proclaims", async () => {
    const leader = stores.open().leader<unknown>("x");
    const error: unknown = await leader.run(() => 1, { value: new Map() }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SERIALIZATION", id: 'leader "x"' });
    expect((error as Error).message).toContain('leader "x"');
  });
});
