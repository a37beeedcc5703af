/** One shard of a store must not be opened as a whole store. */
import { isOnlyShard, markId } from "../shard-mark.ts";
import type { Connection } from "./connection.ts";
import type { SqlTables } from "./tables.ts";

/** Refuses a file with the mark of a shard. Then, or if the mark cannot be read, the connection is closed. */
export function refuseShard(connection: Connection, store: SqlTables, name: string): void {
  try {
    if (connection.readNow(() => store.stateHead(markId)) !== undefined) throw isOnlyShard(name);
  } catch (error) {
    connection.close();
    throw error;
  }
}
