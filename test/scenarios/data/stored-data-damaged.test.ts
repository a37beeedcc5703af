// Under our key is something that is not ours, truncated, of a newer format, or of another serializer. Every call
// that would read it throws, says which state and why, and leaves it byte for byte as it is; `update` does not overwrite
// it; nothing is locked afterwards. Whole files of SQLite that are damaged or newer: test/integration/sqlite/file.test.ts.
//
// Seen failing with the defence taken out:
// - src/backends/redis/protocol/envelope.ts takes what is no state for absent: strings that are not ours, and broken heads, by load;
// - scripts/lib/envelope.lua does the same: the same, by save;
// - src/updates/codec.ts does not compare serializers: "another serializer", on both;
// - it takes what cannot be decoded for absent: every damage under a right head, on both.

import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { open, type State, type Store } from "../../../src/index.ts";
import { describeWithoutServer, prefix, startServer, type TestServer } from "../../support/setting.ts";
import { served, type Served } from "../../support/served.ts";

const id = "damaged";

/** Each must fail: they read what is there before they write. */
const readers: Readonly<Record<string, (state: State<unknown>) => Promise<unknown>>> = {
  load: (state) => state.load(),
  read: (state) => state.read(),
  update: (state) => state.update(() => "overwritten"),
  "update with initial": (state) => state.update((draft) => draft),
  run: (state) => state.run(() => "overwritten"),
};
/** These look at the head only. */
const writers: Readonly<Record<string, (state: State<unknown>) => Promise<unknown>>> = {
  save: (state) => state.save("overwritten"),
  "save if absent": (state) => state.trySave("overwritten", { ifRevision: "absent" }),
  touch: (state) => state.touch(60_000),
  delete: (state) => state.delete(),
};

async function expectRefusals(store: Store, calls: typeof readers, look: () => unknown): Promise<void> {
  const before = await look();
  for (const [name, call] of Object.entries(calls)) {
    const end = await call(store.state<unknown>(id)).then(
      (value) => ({ value }),
      (error: unknown) => error as Error,
    );
    expect([name, end]).toMatchObject([name, { code: "CORRUPT_STATE", outcome: "none" }]);
    expect((end as Error).message).toContain(`"${id}"`);
    expect([name, await look()]).toEqual([name, before]);
  }
  expect(await store.lock(id).inspect()).toBeNull();
}

describe("Redis", () => {
  let server: TestServer;
  let store: Store;
  beforeAll(async () => {
    server = await startServer();
    store = await open(server.url).ready();
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  const key = `${prefix}state:{${id}}`;
  const look = async (): Promise<unknown> => [
    await server.command("DUMP", key),
    await server.command("TTL", key),
  ];
  const put = async (command: readonly string[]): Promise<void> => {
    await server.command("DEL", key);
    await server.command(command[0] ?? "", key, ...command.slice(1));
  };

  const notStates: readonly [string, string[]][] = [
    ["a list", ["RPUSH", "1"]],
    ["a hash", ["HSET", "a", "1"]],
    ["a set", ["SADD", "1"]],
    ["a sorted set", ["ZADD", "1", "a"]],
    ["a stream", ["XADD", "*", "a", "1"]],
    ["somebody's string", ["SET", '{"left":500}']],
    ["an empty string", ["SET", ""]],
    ["a head cut off in its middle", ["SET", "hf1 179539494415"]],
    ["a head without its end", ["SET", "hf1 7 json"]],
    ["a head without a serializer", ["SET", "hf1 7 \n1"]],
    ["a revision that is no number", ["SET", "hf1 x json\n1"]],
    ["a newer format", ["SET", "hf2 7 json\n1"]],
    ["a much newer format, with a life", ["SET", "hf10 something else", "EX", "1000"]],
  ];
  test.each(notStates)("[S1] [S6] %s: no call reads it, none overwrites it", async (_, command) => {
    await put(command);
    await expectRefusals(store, { ...readers, ...writers }, look);
  });

  const unreadable: readonly [string, string][] = [
    ["truncated", 'hf1 7 json\n{"left":5'],
    ["nothing after the head", "hf1 7 json\n"],
    ["something after the end", 'hf1 7 json\n{"left":5}}'],
    ["another serializer", 'hf1 7 msgpack\n"x"'],
    ["what could not be saved again", 'hf1 7 json\n{"__proto__":{"polluted":1}}'],
    ["larger than maxStateBytes", `hf1 7 json\n"${"x".repeat(9 * 1024 * 1024)}"`],
  ];
  test.each(unreadable)(
    "[S1] [S6] %s: no call reads it, an update does not overwrite it",
    async (_, text) => {
      await put(["SET", text]);
      await expectRefusals(store, readers, look);
    },
  );

  test("[S6] another serializer's bytes are not saved over either", async () => {
    await put(["SET", 'hf1 7 msgpack\n"x"']);
    await expectRefusals(store, { save: (state) => state.save("overwritten") }, look);
  });
});

describeWithoutServer("SQLite", () => {
  let backend: Served;
  let db: DatabaseSync;
  let store: Store;
  beforeAll(async () => {
    backend = await served.SQLite();
    store = await open(backend.url).ready();
    db = new DatabaseSync(backend.url.replace("sqlite:", ""), { timeout: 10_000 });
  });
  afterAll(async () => {
    db.close();
    await store.close();
    await backend.end();
  });

  test.each([
    ["truncated", "json", '{"left":5'],
    ["empty", "json", ""],
    ["something after the end", "json", "{}}"],
    ["another serializer", "msgpack", '"x"'],
    ["what could not be saved again", "json", '{"__proto__":1}'],
  ])("[S1] [S6] %s: no call reads it, an update does not overwrite it", async (_, serializer, text) => {
    await store.state(id).delete();
    await store.state(id).save("ours");
    db.prepare("UPDATE states SET serializer = ?, bytes = ?").run(serializer, Buffer.from(text));
    const look = (): unknown => db.prepare("SELECT * FROM states").all();
    await expectRefusals(store, readers, look);
    if (serializer !== "json")
      await expectRefusals(store, { save: (state) => state.save("overwritten") }, look);
  });
});
