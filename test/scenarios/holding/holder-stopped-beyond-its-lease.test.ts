// A stopped holder at its worst: it is stopped when it has looked at the clock and its command is on its
// way already, so that only the server is left to refuse it. It arrives when the lease is over and another has the lock.
// That a holder which goes on refuses itself, and hears of its loss, is in test/integration/processes/pauses.test.ts, on SQLite too.
//
// Seen failing with the defence taken out:
//   write.lua without its check of the ticket: the first test; commit.lua without it: the second; release.lua: the third.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { startProxyBefore, startServer, type TestProxy, type TestServer } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 30_000 });

let server: TestServer;
let proxy: TestProxy;
let store: Store;
beforeAll(async () => {
  server = await startServer();
  store = open(server.url);
  // A copy of a script that the server has never seen would be refused for that alone.
  await store.lock("warm").run(() => store.state("warm").save(1));
  await store.state("warm").update(() => 2);
});
beforeEach(async () => {
  proxy = await startProxyBefore(server);
});
afterEach(async () => {
  await killAll();
  await proxy.close();
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

interface Granted {
  readonly fence: number;
}
const leaseMs = 1_500; // on a busy machine, the worker still holds the lock when it saves

/** Stops the worker in the moment in which its next command of that name is on its way, and keeps the command. */
function stopAt(worker: Worker, command: string): Promise<void> {
  return new Promise((resolve) => {
    let struck = false;
    proxy.fault = ({ name }) => {
      if (name !== command || struck) return undefined;
      struck = true;
      worker.signal("SIGSTOP");
      resolve();
      return "hold-back";
    };
  });
}

/** A worker that holds the lock and is to be stopped, by way of the proxy. */
async function holder(id: string): Promise<{ worker: Worker; fence: number }> {
  const worker = new Worker(proxy.url);
  const { fence } = await worker.order<Granted>("acquire", { id, as: "first", how: { leaseMs } });
  await worker.order("save", { id, as: "first", value: "first" });
  return { worker, fence };
}

test("[S4] [L3] a save that was on its way when its holder was stopped arrives after another's: refused, and the state is the other's", async () => {
  const id = "save on its way";
  const { worker, fence } = await holder(id);
  const stopped = stopAt(worker, "write");
  const late = worker.order("save", { id, as: "first", value: "too late" });
  const refused = expect(late).rejects.toMatchObject({ code: "LOCK_LOST" });
  await stopped;
  const theirs = await store.lock(id).acquire();
  expect(theirs.fence).toBeGreaterThan(fence);
  const revision = await store.state(id).save("second", { grant: theirs });
  expect(await proxy.deliver()).toEqual([expect.stringContaining("lost")]);
  expect(await store.state(id).read()).toMatchObject({ value: "second", revision });
  worker.signal("SIGCONT");
  await refused;
  expect(await worker.order("signal", { as: "first" })).toEqual({ aborted: true, code: "LOCK_LOST" });
  expect(await worker.order("release", { as: "first" })).toBe(false);
  expect(await store.state(id).read()).toMatchObject({ value: "second", revision });
  expect(await theirs.release()).toBe(true);
});

test("[S4] [S3] an update that was on its way when its process was stopped arrives after another's: refused, not merged and not doubled", async () => {
  const id = "update on its way";
  const worker = new Worker(proxy.url);
  const state = store.state(id, { initial: () => ({ count: 0, ids: [] as string[] }) });
  await state.load();
  const stopped = stopAt(worker, "commit");
  const options = { leaseMs };
  const late = worker.order("updates", { id, name: "late", count: 1, lanes: 1, options });
  const refused = expect(late).rejects.toMatchObject({ code: "LOCK_LOST" });
  await stopped;
  await state.update((log) => void log.ids.push("second"));
  expect(await proxy.deliver()).toEqual([expect.stringContaining("lost")]);
  worker.signal("SIGCONT");
  await refused;
  expect((await state.load()).ids).toEqual(["second"]);
});

test("[L6] a release that was on its way when its holder was stopped arrives when another holds the lock: it frees nothing and answers false", async () => {
  const id = "release on its way";
  const { worker } = await holder(id);
  const stopped = stopAt(worker, "release");
  const released = worker.order("release", { as: "first" });
  await stopped;
  const theirs = await store.lock(id).acquire();
  expect(await proxy.deliver()).toEqual([expect.stringContaining("lost")]);
  expect(await store.lock(id).inspect()).toMatchObject({ fence: theirs.fence, holder: { here: true } });
  worker.signal("SIGCONT");
  expect(await released).toBe(false);
  expect(await store.lock(id).inspect()).toMatchObject({ fence: theirs.fence, holder: { here: true } });
  expect(await theirs.release()).toBe(true);
  expect(await store.lock(id).inspect()).toBeNull();
});
