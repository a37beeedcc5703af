/** `new SqliteBackend()`: states in a SQLite file with the tables of the Python library statefulpy. */
import { Core, setCore } from "./core.ts";
import { parseSqliteOptions, type SqliteBackendOptions } from "./options.ts";
import { sqlitePlace } from "./places.ts";
import { serializerOf } from "./serializers.ts";
import { StateBackend } from "./state-backend.ts";

/**
 * States in a SQLite file that Python processes with statefulpy read and write as well. Opens the file with the first
 * call.
 *
 * Its locks exclude the Node processes that use the same file, and no Python process: the Python library locks a file
 * beside the database, which Node cannot do.
 *
 * @example
 * ```ts
 * const backend = new SqliteBackend({ dbPath: "stateful.db", serializer: "json" });
 * await backend.saveState("jobs.counter", { count: 1 });
 * for await (const { id, updatedAt } of backend.list()) console.log(id, updatedAt);
 * await backend.close();
 * ```
 */
export class SqliteBackend extends StateBackend {
  /** @throws InvalidArgumentError for an option that cannot work. */
  constructor(options?: SqliteBackendOptions) {
    super();
    const parsed = parseSqliteOptions({ dbPath: "stateful.db", ...options });
    const { dbPath: path = "", lockTimeout: leaseMs = 30_000 } = parsed;
    setCore(this, new Core({ place: sqlitePlace(path), serializer: serializerOf(parsed), leaseMs }));
  }
}
