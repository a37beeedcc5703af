// A process that runs a function once, and kills itself at the point that its second argument names, so that nothing of it
// goes on. Its backend is a real one; the wrapper only tells when a call is made, and when it has been answered. With
// ONCE_CALLERS, as many run the function at a time, of the key that ONCE_KEY names.

import { createRedisBackend } from "../../../src/backends/redis/backend.ts";
import { createSqliteBackend } from "../../../src/backends/sqlite/backend.ts";
import { open } from "../../../src/index.ts";
import { FaultyBackend, meanwhile, type FaultyMethod } from "../../../src/testing/index.ts";

const [url = "", point = ""] = process.argv.slice(2);
const prefix = "holdfast:";
const backend = url.startsWith("sqlite:")
  ? createSqliteBackend({ path: url.slice("sqlite:".length), prefix })
  : createRedisBackend({ target: url, prefix, operationMs: 5_000 });
const faulty = new FaultyBackend(backend);

/** Synchronous on pipes, so that what was told is told even though SIGKILL comes next. */
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
}

const calls: Readonly<Record<string, readonly [method: FaultyMethod, when: "before" | "after"]>> = {
  "granted, before it is begun": ["writeState", "before"],
  "begun, before the function": ["writeState", "after"],
  "after the function, before the save": ["releaseLock", "before"],
  "saved, before the reply": ["releaseLock", "after"],
};
const [method, when] = calls[point] ?? [];
if (method !== undefined && when !== undefined) faulty.once(method, meanwhile({ [when]: die }));

const { ONCE_KEY: key = point, ONCE_CALLERS: callers = "1" } = process.env;
const once = open(faulty, { waitMs: 30_000 }).once(key, { keepMs: 600_000, leaseMs: 1_000 });
const run = (): Promise<unknown> =>
  once.run(async ({ fence, attempt }) => {
    tell({ called: attempt, fence });
    if (point === "in the function") await die();
    return callers === "1" ? "by the first" : { by: process.pid, attempt };
  });
const results = await Promise.all(Array.from({ length: Number(callers) }, run));
for (const result of results) tell({ result });
