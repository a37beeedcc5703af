// A process that uses a store for what there is, closes it, and prints what is left: resources that keep a process alive,
// and async resources that were made by then and are never destroyed.

import { createHook } from "node:async_hooks";
import { setImmediate as turn } from "node:timers/promises";

import { open } from "../../../src/index.ts";

const [, , target = "memory:"] = process.argv;
const alive = new Map<number, string>();
let isRecording = false;
const hook = createHook({
  init(id, type) {
    if (isRecording && type !== "PROMISE") alive.set(id, `${type} ${String(new Error().stack)}`);
  },
  destroy(id) {
    alive.delete(id);
  },
});

async function use(): Promise<void> {
  const store = open(target, { prefix: "handles:" });
  const counter = store.state("n", { initial: () => 0 });
  await Promise.all([1, 2, 3].map(() => counter.update((n) => n + 1)));
  await counter.update(() => Promise.reject(new Error("planned"))).catch(() => undefined);
  await store.state("r", { initial: () => ({ n: 0 }) }).run((draft) => void (draft.n += 1));
  await store.lock("l").acquire(); // not released
  await store
    .lock("l")
    .acquire({ waitMs: 20 })
    .catch(() => undefined);
  const waiting = store.lock("l").acquire({ signal: AbortSignal.timeout(20) });
  await waiting.catch(() => undefined);
  await store.once("o", { keepMs: 1_000 }).run(() => 1);
  await store.leader("e").run(() => 1);
  await using _permit = await store.semaphore("s", { permits: 1 }).acquire();
  await store.close({ drainMs: 0 });
}

await use(); // what Node makes once
hook.enable();
isRecording = true;
await use();
isRecording = false;
await turn();
const isOfConsole = (name: string): boolean => name === "PipeWrap" || name === "TTYWrap";
const active = process.getActiveResourcesInfo().filter((name) => !isOfConsole(name));
for (let n = 0; n < 100 && alive.size > 0; n += 1) {
  globalThis.gc?.();
  await turn();
}
hook.disable();
console.log(JSON.stringify({ active, alive: [...alive.values()] }));
