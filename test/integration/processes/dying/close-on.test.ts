// `closeOn`, and a stop as docker does it: SIGTERM, and SIGKILL after 10 s [P2].

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { open, type Store } from "../../../../src/index.ts";
import { served, type Served } from "../../../support/served.ts";
import { startServer, type TestServer } from "../../../support/setting.ts";
import { killAll, Worker } from "../../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

const program = join(import.meta.dirname, "closing-program.ts");
const dockerMs = 10_000;

async function started(url: string, life: string): Promise<Worker> {
  const worker = new Worker(url, life, undefined, program);
  await worker.until((told) => told.some((line) => "ready" in line));
  return worker;
}

/** SIGTERM, then SIGKILL. Returns how it ended, and after how long. */
async function dockerStop(worker: Worker): Promise<{ ending: number | string; tookMs: number }> {
  const from = performance.now();
  worker.signal("SIGTERM");
  const kill = setTimeout(() => worker.signal("SIGKILL"), dockerMs);
  const ending = await worker.ended;
  clearTimeout(kill);
  return { ending, tookMs: performance.now() - from };
}

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url);
      await store.ready();
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close({ drainMs: 0 });
      await backend.end();
    });

    test("[P2] SIGTERM: functions end in good order, waiters are told, nothing stays behind, the process ends by the signal", async () => {
      const worker = await started(backend.url, "orderly");
      const { ending, tookMs } = await dockerStop(worker);
      expect(ending).toBe("SIGTERM");
      expect(tookMs).toBeLessThan(5_000);
      const ended = worker.told.flatMap((line) => ("ended" in line ? [line["ended"]] : []));
      expect(ended.sort()).toEqual(["body 0", "body 1", "update 0", "update 1"]);
      expect(worker.told).toContainEqual({ waiter: "CLOSED" });
      for (const id of ["idle 0", "idle 1", "body 0", "body 1", "update 0", "update 1"])
        expect(await store.lock(id).inspect(), id).toBeNull();
      expect(await store.state("update 1").load()).toBe("saved");
    });

    test("[P2] functions that do not end: it ends by itself, in time, and leaves no lock", async () => {
      const worker = await started(backend.url, "stubborn");
      const { ending, tookMs } = await dockerStop(worker);
      expect(ending).toBe("SIGTERM");
      expect(tookMs).toBeGreaterThan(5_000);
      for (const id of ["body 0", "body 1", "update 0", "update 1"])
        expect(await store.lock(id).inspect(), id).toBeNull();
    });

    test.each(["SIGINT", "SIGTERM"] as const)("[P2] a second signal, %s, does not wait", async (second) => {
      const worker = await started(backend.url, "stubborn");
      worker.signal("SIGINT");
      await worker.until((told) => told.some((line) => "waiter" in line)); // it closes
      const from = performance.now();
      worker.signal(second);
      expect(await worker.ended).toBe(second);
      expect(performance.now() - from).toBeLessThan(3_000);
    });

    test("[P2] a program that listens itself, also once, says how it ends", async () => {
      const { ending } = await dockerStop(await started(backend.url, "with a handler"));
      expect(ending).toBe(7);
    });

    test("[P2] beside a package that ends the process only if nothing else listens, it ends by the signal", async () => {
      const worker = await started(backend.url, "beside signal-exit");
      expect((await dockerStop(worker)).ending).toBe("SIGTERM");
      expect(worker.told).toContainEqual({ exits: true });
      expect(worker.told).toContainEqual({ ended: "update 1" });
    });

    test("[P2] a store that a program's own listener opens is closed by the next signal", async () => {
      const worker = await started(backend.url, "opens another");
      worker.signal("SIGTERM");
      await worker.until((told) => told.some((line) => "opened" in line));
      expect((await dockerStop(worker)).ending).toBe(7);
    });

    test("[P2] a store that was closed before does not listen any more", async () => {
      const worker = new Worker(backend.url, "closed before", undefined, program);
      await worker.until((told) => told.some((line) => "closed" in line));
      expect((await dockerStop(worker)).ending).toBe("SIGTERM");
    });
  });
}

test("[P2] a signal that comes when the stores have just been closed is not lost", async () => {
  const worker = new Worker("memory:", "closed just now", undefined, program);
  const kill = setTimeout(() => worker.signal("SIGKILL"), dockerMs);
  expect(await worker.ended).toBe("SIGTERM");
  clearTimeout(kill);
});

describe("a server that does not answer", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterEach(killAll);
  afterAll(async () => {
    server.resume();
    await server.stop();
  });

  test("[P2] functions that do not end, and a stopped server: it ends by itself, in time", async () => {
    const worker = await started(server.url, "stubborn");
    server.pause();
    const { ending, tookMs } = await dockerStop(worker);
    expect(ending).toBe("SIGTERM");
    expect(tookMs).toBeLessThan(dockerMs);
  });
});

const unshare = ["--pid", "--fork", "--mount-proc", "--kill-child"];
const mayUnshare =
  process.platform === "linux" &&
  (await new Promise<boolean>((resolve) => {
    const child = spawn("unshare", [...unshare, "true"], { stdio: "ignore" });
    child.on("error", () => resolve(false)).on("close", (code) => resolve(code === 0));
  }));

test.runIf(mayUnshare)(
  "[P2] the first process of a container (skipped unless the tests may make PID namespaces): it ends with 143",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-first-"));
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", program];
    const url = `sqlite:${join(folder, "one.db")}`;
    const child = spawn("unshare", [...unshare, ...node, url, "orderly"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ready = new Promise<void>((resolve) => {
      child.stdout.setEncoding("utf8").on("data", (told: string) => told.includes("ready") && resolve());
    });
    const ended = once(child, "exit");
    await Promise.race([ready, ended]);
    const outer = String(child.pid);
    const [pid = ""] = readFileSync(`/proc/${outer}/task/${outer}/children`, "utf8").split(" ");
    process.kill(Number(pid), "SIGTERM");
    expect((await ended)[0]).toBe(143);
    rmSync(folder, { recursive: true, force: true });
  },
);
