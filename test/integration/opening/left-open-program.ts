// Opens many stores, uses each, and closes none. Prints what is left of them before and after they were collected.

import { readdirSync, readlinkSync } from "node:fs";
import { open, type Grant, type OpenOptions } from "holdfast";

const [target = "", mode = ""] = process.argv.slice(2);
const { gc } = globalThis as { gc?: () => void };

/** Connections and open files. */
function handles(): number {
  const names = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // the folder itself
    }
  });
  return names.filter((name) => name.startsWith("socket:") || name.includes("left-open.db")).length;
}

const atStart = handles(); // stdio may be sockets

async function use(index: number): Promise<void> {
  const store = open(target);
  const count = store.state("count", { initial: () => 0 });
  await store.lock("lock").run(() => count.update((n) => n + 1));
  await store.semaphore("permits", { permits: 2 }).run(() => undefined);
  await store.once(`once:${String(index)}`, { keepMs: 1_000 }).run(() => 1);
  for await (const { id } of store.states()) if (id === "count") break;
}

/** What listens to the end of a store refers to it, as a rule. */
async function useUntilClosing(): Promise<void> {
  const store = open(target, { closeOn: ["SIGTERM", "SIGINT"] });
  const tell = (): void => console.log(store.name);
  store.closing.addEventListener("abort", tell);
  await store.lock("lock").run(({ closing }) => closing.addEventListener("abort", tell));
}

async function untilCollected(isEnough: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400 && !isEnough(); turn += 1) {
    gc?.();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A grant whose store no code refers to. */
async function grantAlone(options?: OpenOptions): Promise<Grant> {
  return open(target, options).lock("held").acquire();
}

if (mode === "at a signal") {
  const grant = await grantAlone({ closeOn: ["SIGTERM"] });
  grant.signal.addEventListener("abort", () => console.log(JSON.stringify(String(grant.signal.reason))));
  let turns = 0;
  await untilCollected(() => ++turns === 20);
  setInterval(() => undefined, 60_000);
  process.kill(process.pid, "SIGTERM");
} else if (mode === "many" || mode === "listened to") {
  for (let index = 0; index < 50; index += 1) await (mode === "many" ? use(index) : useUntilClosing());
  const before = handles() - atStart;
  await untilCollected(() => handles() === atStart);
  const listeners = process.listenerCount("SIGTERM");
  console.log(JSON.stringify({ before, after: handles() - atStart, listeners }));
} else {
  const grant = await grantAlone();
  const [handle, function_] = [
    open(target).lock("other"),
    open(target).stateful(
      "s",
      () => ({ n: 0 }),
      (s) => ++s.n,
    ),
  ];
  let turns = 0;
  await untilCollected(() => ++turns === 20);
  const [isHeld, got, called] = [!grant.signal.aborted, await handle.run(() => "served"), await function_()];
  const released = await grant.release();
  console.log(JSON.stringify({ isHeld, got, called, released }));
}
