// [L10] A holder of the same machine whose process is gone is passed over at once; all others keep their locks until their
// leases end. Leases are long here, so that what is free soon was passed over.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { ownMark } from "../../../../src/leases/dead-holders/process-mark.ts";
import { poll } from "../../../support/poll.ts";
import { served, type Served } from "../../../support/served.ts";
import { killAll, Worker } from "../../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

const program = join(import.meta.dirname, "neighbour-program.ts");
/** A process on a busy machine needs some time; a lease here is 60 s. */
const soonMs = 5_000;

async function holding(url: string): Promise<Worker> {
  const worker = new Worker(url, "hold", undefined, program);
  await worker.until((told) => told.some((line) => "holding" in line));
  return worker;
}

/** One call of each kind that needs what the dead process had. */
const calls: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  "lock.run": (store) => store.lock("by hand").run(() => "got it"),
  "an exclusive call for a shared lock": (store) => store.lock("shared").run(() => "got it"),
  "all permits": (store) => store.semaphore("permits", { permits: 2 }).run(() => "got it", { weight: 2 }),
  lockAll: (store) => store.lockAll(["one", "two"]).run(() => "got it"),
  update: (store) => store.state("updated", { initial: () => "" }).update(() => "got it"),
  save: (store) => store.state("updated").save("saved"),
  transact: (store) => store.transact([store.state("three"), store.state("four")], () => "got it"),
  once: async (store) => {
    const once = store.once("once", { keepMs: 60_000 });
    await once.run(() => "got it");
    await once.forget(); // for the next test
  },
  leader: (store) => store.leader("leader").run(() => "got it"),
};

for (const name of ["Redis", "SQLite"] as const) {
  describe.runIf(ownMark() !== undefined)(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url, { waitMs: 30_000 });
      await store.ready();
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close({ drainMs: 0 });
      await backend.end();
    });

    test("[L10] the first callers after kill -9 get everything that the process had", async () => {
      const worker = await holding(backend.url);
      await worker.kill();
      const from = performance.now();
      await Promise.all(Object.values(calls).map((call) => call(store)));
      expect(performance.now() - from).toBeLessThan(soonMs);
    });

    test("[L10] so do those that waited already, and a call that only tries", async () => {
      const worker = await holding(backend.url);
      const waiting = Object.values(calls).map((call) => call(store));
      await poll(async () => (await store.lock("by hand").inspect())?.waiters).toBe(1);
      await worker.kill();
      const from = performance.now();
      await Promise.all(waiting);
      expect(performance.now() - from).toBeLessThan(soonMs);

      const again = await holding(backend.url);
      await again.kill();
      const grant = await store.lock("by hand").tryAcquire();
      expect(await grant?.release()).toBe(true);
      const others = Object.entries(calls).filter(([kind]) => kind !== "lock.run");
      await Promise.all(others.map(([, call]) => call(store)));
    });

    test("[L10] of several holders of a lock, only the dead one is passed over", async () => {
      const reader = await store.lock("shared").acquire({ shared: true });
      const worker = await holding(backend.url);
      await worker.kill();
      const writing = store.lock("shared").run(() => "got it");
      await poll(async () => (await store.lock("shared").inspect())?.holders?.length).toBe(1);
      expect(reader.signal.aborted).toBe(false);
      expect(await reader.release()).toBe(true);
      expect(await writing).toBe("got it");
      const others = Object.entries(calls).filter(([kind]) => !kind.startsWith("an exclusive"));
      await Promise.all(others.map(([, call]) => call(store)));
    });

    test("[L10] with passOverDead: false, the lease decides, since what it has started may go on", async () => {
      const worker = new Worker(backend.url);
      const how = { id: "outlived", as: "it", options: { leaseMs: 2_500, passOverDead: false } };
      await worker.order("acquire", how);
      await worker.kill();
      const from = performance.now();
      await store.lock("outlived").run(() => undefined);
      expect(performance.now() - from).toBeGreaterThan(1_000);
    });

    test("[L10] a stopped process is there: its lease decides", async () => {
      const worker = new Worker(backend.url);
      const how = { id: "stopped", as: "it", options: { leaseMs: 2_500 } };
      await worker.order("acquire", how);
      worker.signal("SIGSTOP");
      const from = performance.now();
      await store.lock("stopped").run(() => undefined);
      expect(performance.now() - from).toBeGreaterThan(1_000);
    });
  });
}

const unshare = ["unshare", "--pid", "--fork", "--mount-proc"] as const;

/** Runs a shell command in a PID namespace of its own; `undefined`: that is not permitted here. */
async function inNamespace(command: string): Promise<string | undefined> {
  const child = spawn(unshare[0], [...unshare.slice(1), "sh", "-c", command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
  const failed = once(child, "error").then(() => "unshare: not found");
  const ended = once(child, "close").then(([code]) => (code === 0 ? "" : errors));
  const error = await Promise.race([failed, ended]);
  if (/^unshare: /m.test(error)) return undefined;
  if (error !== "") throw new Error(error);
  return out;
}

const mayUnshare = process.platform === "linux" && (await inNamespace("true")) !== undefined;

describe.runIf(mayUnshare)("PID namespaces (skipped unless the tests may make them: unshare as root)", () => {
  let folder: string;
  let url: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-neighbours-"));
  });
  afterEach(killAll);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const node = `'${process.execPath}' --disable-warning=ExperimentalWarning '${program}'`;
  const held = (leaseMs: number): string =>
    `${node} '${url}' hold ${String(leaseMs)} > '${folder}/told' & pid=$!; ` +
    `until grep -q holding '${folder}/told'; do sleep 0.05; done; kill -9 $pid; wait $pid 2>/dev/null; `;
  const tookMs = (out: string | undefined): number =>
    (JSON.parse(/\{.*\}/.exec(out ?? "")?.[0] ?? "{}") as { tookMs?: number }).tookMs ?? NaN;

  test("[L10] two namespaces on one file: the lease of a process that was killed in the other one decides", async () => {
    url = `sqlite:${join(folder, "two.db")}`;
    await inNamespace(`${held(3_000)} true`);
    const store = open(url);
    const from = performance.now();
    await store.lock("by hand").run(() => undefined);
    expect(performance.now() - from).toBeGreaterThan(1_000);
    await store.close();
  });

  test("[L10] within one namespace it is passed over, even if another process has its PID by now", async () => {
    url = `sqlite:${join(folder, "one.db")}`;
    const reuse = `echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid; sleep 60 & [ $! = $pid ] && echo reused; `;
    const out = await inNamespace(`${held(60_000)} ${reuse} ${node} '${url}' next 60000; kill $!`);
    expect(out).toContain("reused");
    expect(tookMs(out)).toBeLessThan(soonMs);
  });
});
