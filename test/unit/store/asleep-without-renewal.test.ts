// The machine sleeps while a lock is held that is not renewed: the server is asked what is left of its lease.
//
// Seen failing with the defence taken out (src/leases/ticket-registry.ts): renewed instead; not asked at all.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { nodeTime } from "../../../src/time/node-time.ts";
import { useTimeSource } from "../../../src/timers.ts";
import { open, type Grant, type Store } from "../../../src/index.ts";
import { FaultyBackend, hang } from "../../../src/testing/index.ts";

let memory: Memory;
let faults: FaultyBackend;
let store: Store;
let grant: Grant;

beforeEach(async () => {
  memory = new Memory();
  faults = new FaultyBackend(new MemoryBackend({ memory }));
  store = open(faults, { operationMs: 300 });
  grant = await store.lock("x").acquire({ renew: false, leaseMs: 3_600_000 });
});

afterEach(async () => {
  useTimeSource(nodeTime);
  await store.close();
});

/** The wall clock is an hour ahead of where the monotonic clock says that it should be. */
function sleep(): void {
  useTimeSource({ ...nodeTime, wallNow: () => nodeTime.wallNow() + 3_600_000 });
}

function endsInMs(leaseMs: number): void {
  const row = memory.locks.get("x");
  if (row === undefined) expect.unreachable();
  memory.locks.set("x", { ...row, since: performance.now(), leaseMs });
}

test("[L5] it holds the lock for as long as the server says", async () => {
  sleep();
  endsInMs(60_000);
  expect(grant.signal.aborted).toBe(false);
  expect(grant.held).toBe(false); // not certainly
  await vi.waitFor(() => expect(grant.held).toBe(true));
  expect(grant.expiresInMs).toBeLessThanOrEqual(60_000);
  expect(grant.expiresInMs).toBeGreaterThan(30_000);
  expect(faults.calls.some(({ method }) => method === "renewLocks")).toBe(false);
  expect(await grant.release()).toBe(true);
});

test("[L5] it has lost the lock if the server does not know it, or does not answer", async () => {
  sleep();
  memory.locks.delete("x");
  expect(grant.held).toBe(false);
  await vi.waitFor(() => expect(grant.signal.aborted).toBe(true));
  expect(grant.signal.reason).toMatchObject({ code: "LOCK_LOST" });
  expect(await grant.release()).toBe(false);

  useTimeSource(nodeTime);
  const second = await store.lock("y").acquire({ renew: false, leaseMs: 3_600_000 });
  faults.always("inspectLock", hang());
  sleep();
  expect(second.held).toBe(false);
  await vi.waitFor(() => expect(second.signal.aborted).toBe(true), 5_000);
});
