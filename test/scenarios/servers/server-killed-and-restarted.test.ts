// Redis is killed while locks are held and saves are on their way, and restarted with nothing, or
// with its append-only file, synced at each write. A holder that has not heard of it is refused by the server; what was
// acknowledged and kept is there, and fences and revisions go on rising.
// That the holder hears of it by its renewal, and updates during restarts, are in test/integration/processes/redis.test.ts.
//
// Seen failing with the defence taken out:
//   write.lua without its check of the ticket: restarted empty (saves of a lock that nobody knows were accepted);
//   stamp.lua counting from 1 instead of the server's time: restarted empty (a fence that was no greater);
//   a server without the append-only file: both tests of a restart with it.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { startServer, type TestServer } from "../../support/setting.ts";

vi.setConfig({ testTimeout: 60_000 });

let server: TestServer;
const stores: Store[] = [];
const connect = (options?: OpenOptions): Store => {
  const store = open(server.url, { operationMs: 15_000, ...options });
  stores.push(store);
  return store;
};
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await server.stop();
});

describe("with nothing", () => {
  beforeEach(async () => {
    server = await startServer();
  });

  test("[S4] [S2] [L3] a holder that has not heard of it is refused by the server, whether or not another has the lock", async () => {
    const [old, other] = [connect({ leaseMs: 60_000 }), connect()]; // no renewal comes in between
    const [grant, unheld] = [await old.lock("held").acquire(), await old.lock("unheld").acquire()];
    const before = await old.state("held").save("before", { grant });
    await server.restart("empty");
    await old.state("held").load(); // it is connected again
    expect(grant.signal.aborted).toBe(false);

    const nobody = old.state("unheld").save("too late", { grant: unheld });
    await expect(nobody).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
    expect(await other.state("unheld").read()).toBeUndefined();

    const theirs = await other.lock("held").acquire();
    expect(theirs.fence).toBeGreaterThan(grant.fence);
    const after = await other.state("held").save("theirs", { grant: theirs });
    expect(after).toBeGreaterThan(before);
    const late = old.state("held").save("too late", { grant });
    await expect(late).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
    expect(grant.signal.aborted).toBe(true);
    expect(await grant.release()).toBe(false);
    expect(await other.state("held").read()).toMatchObject({ value: "theirs", revision: after });
    expect(await theirs.release()).toBe(true);
  });
});

describe("with its append-only file", () => {
  beforeEach(async () => {
    server = await startServer({ appendonly: true });
  });

  test("[S3] [S2] no acknowledged save is missing, and each is there under its revision", async () => {
    const acknowledged = new Map<string, number>();
    const lane = async (store: Store, lane: number): Promise<void> => {
      for (let n = 0; n < 200; n += 1) {
        const id = `${String(lane)}:${String(n)}`;
        acknowledged.set(id, await store.state(id).save(id));
      }
    };
    const lanes = [1, 2, 3, 4].map((number) => lane(connect(), number));
    for (const count of [100, 400]) {
      await poll(() => acknowledged.size).toBeGreaterThan(count);
      await server.kill();
      const sofar = [...acknowledged];
      await server.start();
      const look = connect();
      for (const [id, revision] of sofar) {
        expect(await look.state(id).read()).toMatchObject({ value: id, revision });
      }
    }
    await Promise.all(lanes);
    expect(acknowledged.size).toBe(800);
    expect(new Set(acknowledged.values()).size).toBe(800);
    for await (const { id, revision } of connect().states()) expect(revision).toBe(acknowledged.get(id));
  });

  test("[L1] [L3] [S4] a grant that the server kept goes on, excludes others and may save; the next fence is greater", async () => {
    const [holder, other] = [connect({ leaseMs: 20_000 }), connect()];
    const grant = await holder.lock("kept").acquire();
    const before = await holder.state("kept").save("before", { grant });
    await server.kill();
    await server.start();
    expect(await other.lock("kept").tryAcquire()).toBeNull();
    const after = await holder.state("kept").save("after", { grant });
    expect(after).toBeGreaterThan(before);
    const waiting = other.lock("kept").acquire();
    expect(await grant.release()).toBe(true);
    const theirs = await waiting;
    expect(theirs.fence).toBeGreaterThan(grant.fence);
    expect(await other.state("kept").load()).toBe("after");
    expect(await theirs.release()).toBe(true);
  });
});
