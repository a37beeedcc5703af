// Stores for tests of what copies them: a Redis with two prefixes and SQLite files, what is put into them, and what is
// in them to the byte.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { partsOf } from "../../../../src/open.ts";
import { open, type Serializer } from "../../../../src/index.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";

export interface Stores {
  readonly server: RedisServer;
  readonly folder: string;
  /** The URL of a file of this name. */
  sqlite(name: string): string;
  end(): Promise<void>;
}

export async function startStores(): Promise<Stores> {
  const server = await startRedis({ prefixes: ["holdfast:", "other:", "{holdfast:", "statefulpy:"] });
  const folder = mkdtempSync(join(tmpdir(), "holdfast-transfer-"));
  return {
    server,
    folder,
    sqlite: (name) => `sqlite:${join(folder, name)}`,
    async end() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Keeps bytes as they are. */
export const raw: Serializer = {
  name: "raw",
  serialize: (value) => value as Uint8Array,
  deserialize: (bytes) => bytes,
};

/** The number of states that `fill` makes, with a result of a once. */
export const filled = 9;

export async function fill(url: string): Promise<void> {
  await using store = open(url);
  await store.state("plain").save({ n: 1, list: [1.5, null, "ü"], nested: { deep: true } });
  await store.state("user:{42}").save("with a tag");
  await store.state('quotes " and \\ and 💶').save(["\u001b[2J\u202e\u0000", "line\nbreak"]);
  await store.state("expires", { ttlMs: 600_000 }).save({ soon: true });
  await store.state("bytes", { serializer: raw }).save(new Uint8Array([0, 255, 10, 13]));
  await store
    .state("other-json", { serializer: { ...raw, name: "json" } })
    .save(Buffer.from('{"a" : 1.0, "a":2}'));
  await store.state("deep").save(nested(511));
  await store.state("large").save("x".repeat(8 * 1024 * 1024 - 2));
  await store.once("paid:1", { keepMs: 600_000 }).run(() => "receipt");
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

/** What is stored: the serializer, the bytes, and whether it expires, by id. */
export async function contents(
  url: string,
  options: { prefix?: string; shards?: number } = {},
): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const backend of partsOf(url, options, options.shards === undefined ? {} : { isShard: true })) {
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await backend.listStates(cursor ?? null, { idPrefix: "", limit: 1_000 });
      for (const { id } of page.entries) {
        const state = await backend.loadState(id, { expiry: true });
        if (state === null || "unreadable" in state || id.startsWith("}")) continue;
        const content = Buffer.from(state.bytes).toString("base64");
        found.push([id, `${state.serializer} ${String(state.expiresInMs !== null)} ${content}`]);
      }
      ({ cursor } = page);
    }
    await backend.close();
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Every key, to the byte. */
export async function dumpOfRedis(server: RedisServer): Promise<string> {
  const keys = await server.keys();
  const dumps = keys.map(async (key) => `${key} ${String(await server.command("DUMP", key))}`);
  return (await Promise.all(dumps)).join("\n");
}

/** Every row of every table. */
export function dumpOfSqlite(url: string): string {
  const db = new DatabaseSync(url.slice("sqlite:".length), { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const rows = tables.map(({ name }) => [name, db.prepare(`SELECT * FROM "${String(name)}"`).all()]);
  db.close();
  return JSON.stringify(rows);
}

/** How many states a file has by now; 0 if there is none yet. It disturbs no writer. */
export function countIn(url: string): number {
  try {
    const db = new DatabaseSync(url.slice("sqlite:".length), { readOnly: true });
    try {
      return Number(db.prepare("SELECT count(*) AS count FROM states").get()?.["count"]);
    } finally {
      db.close();
    }
  } catch {
    return 0; // it is being made
  }
}
