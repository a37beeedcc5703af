// A Redis whose power fails, and what it has when it is back: what it acknowledged (append-only file, synced each time), an
// older snapshot, or nothing. Started without `appendonly`, a server writes snapshots only when it is told to.

import { rmSync } from "node:fs";
import { join } from "node:path";

import type { RedisServer } from "../redis-server.ts";

/** From now on a crash with "disk" brings this moment back (with `appendonly`, the file wins, and has everything). */
export async function snapshot(server: RedisServer): Promise<void> {
  await server.command("SAVE");
}

/** Kills it as it is and starts it on the same port; resolves when it answers again. */
export async function crash(server: RedisServer, memory: "disk" | "empty", downMs = 0): Promise<void> {
  await server.kill();
  if (memory === "empty") {
    for (const name of ["dump.rdb", "appendonlydir", "appendonly.aof"]) {
      rmSync(join(server.folder, name), { recursive: true, force: true });
    }
  }
  if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs));
  await server.start();
}
