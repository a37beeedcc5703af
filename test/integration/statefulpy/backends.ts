// The backends of holdfast/statefulpy on a real server and on a real file, for suites that run on each with each
// serializer.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RedisBackend, SqliteBackend, type BackendOptions, type StateBackend } from "holdfast/statefulpy";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";

export type Kind = "redis" | "sqlite";
export const kinds: readonly Kind[] = ["redis", "sqlite"];
export const serializers = ["json", "pickle"] as const;

/** One server or one file; each call of `open` makes one more backend on it. */
export class World {
  readonly kind: Kind;
  readonly #opened: StateBackend[] = [];
  #redis: RedisServer | undefined;
  #folder = "";

  constructor(kind: Kind) {
    this.kind = kind;
  }

  async start(): Promise<void> {
    if (this.kind === "redis") this.#redis = await startRedis({ prefixes: ["statefulpy:"] });
    else this.#folder = mkdtempSync(join(tmpdir(), "holdfast-statefulpy-"));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#opened.map((backend) => backend.close()));
    await this.#redis?.stop();
    if (this.#folder !== "") rmSync(this.#folder, { recursive: true, force: true });
  }

  get redis(): RedisServer {
    return this.#redis!;
  }

  get path(): string {
    return join(this.#folder, "stateful.db");
  }

  /** Deletes a lock behind its holder's back. */
  async dropLock(id: string): Promise<void> {
    if (this.kind === "redis") await this.redis.command("DEL", `statefulpy:lock:${id}`);
    else {
      const db = new DatabaseSync(this.path);
      db.prepare("DELETE FROM holdfast_locks WHERE fn_id = ?").run(id);
      db.close();
    }
  }

  open(options: BackendOptions = {}): StateBackend {
    const all = { serializer: "json", ...options } as const;
    const backend =
      this.kind === "redis"
        ? new RedisBackend({ redisUrl: this.redis.url, ...all })
        : new SqliteBackend({ dbPath: this.path, ...all });
    this.#opened.push(backend);
    return backend;
  }
}
