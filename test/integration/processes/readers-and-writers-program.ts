// A process of readers and writers, on the store and by the plan of its arguments.

import { createRedisBackend } from "../../../src/backends/redis/backend.ts";
import { createSqliteBackend } from "../../../src/backends/sqlite/backend.ts";
import { readAndWrite, type Plan } from "./readers-and-writers.ts";

const [url = "", plan = ""] = process.argv.slice(2);
const prefix = "holdfast:";
const backend = url.startsWith("sqlite:")
  ? createSqliteBackend({ path: url.slice("sqlite:".length), prefix })
  : createRedisBackend({ target: url, prefix, operationMs: 30_000 });

/** Synchronous on pipes, so that what was told is told even if SIGKILL comes next. */
await readAndWrite(backend, JSON.parse(plan) as Plan, (line) => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
