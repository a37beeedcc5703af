// What is under way when a store closes [P2]: each call settles, and no lock stays behind.

import { expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";
import { FaultyBackend, delay, hang } from "../../../src/testing/index.ts";
import { poll } from "../../support/poll.ts";

const world = (operationMs: number) => {
  const memory = new Memory();
  const faults = new FaultyBackend(new MemoryBackend({ memory }));
  return { faults, store: open(faults, { operationMs }), other: open(new MemoryBackend({ memory })) };
};
const underWay = (faults: FaultyBackend, method: string): Promise<unknown> =>
  poll(() => faults.calls.map((call) => call.method as string)).toContain(method);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("[P2] a load that nobody answers settles, though its store closes meanwhile", async () => {
  const { store, faults } = world(200);
  faults.once("loadState", hang());
  const loading = expect(store.state("x").load()).rejects.toMatchObject({
    code: "UNREACHABLE",
    outcome: "none",
  });
  await underWay(faults, "loadState");
  await store.close();
  await loading;
});

test("[P2] a save that is under way gets its answer before the backend is closed", async () => {
  const { store, faults, other } = world(2_000);
  faults.once("writeState", delay(60, 60));
  const saving = store.state<string>("x").save("mine");
  await underWay(faults, "writeState");
  await store.close();
  const revision = await saving;
  expect(await other.state<string>("x").read()).toMatchObject({ value: "mine", revision });
});

test("[P2] nothing is tried again on a closed backend", async () => {
  const { store, faults } = world(300);
  faults.always("writeState", hang());
  const saving = expect(store.state("x").save(1)).rejects.toMatchObject({
    code: "UNREACHABLE",
    outcome: "unknown",
  });
  await underWay(faults, "writeState");
  await store.close();
  await saving;
  await pause(50);
  expect(faults.calls.filter(({ method }) => method === "writeState")).toHaveLength(1);
});

test("[P2] a draft function that goes on beyond drainMs: its signal aborts, its lock is released at once", async () => {
  const { store, other } = world(2_000);
  let signal: AbortSignal | undefined;
  let goOn = (): void => undefined;
  const updating = store.state("x", { initial: () => 0 }).update(async (_, turn) => {
    signal = turn.signal;
    await new Promise<void>((resolve) => (goOn = resolve));
    return 1;
  });
  const refused = expect(updating).rejects.toMatchObject({ code: "LOCK_LOST" });
  const why = expect(updating).rejects.toThrow(/no longer held: the store was closed\. /);
  await poll(() => signal).toBeDefined(); // it runs
  await store.close({ drainMs: 20 });
  expect(signal?.reason).toMatchObject({ code: "CLOSED" });
  expect(await other.lock("x").inspect()).toBeNull();
  goOn();
  await Promise.all([refused, why]);
  expect(await other.state("x").load()).toBeUndefined();
});

test("[P2] [S5] drainMs ends while a release is under way that keeps the lock: the save is answered, the lock is freed", async () => {
  const { store, faults, other } = world(2_000);
  const state = store.state("x", { initial: () => 0 });
  faults.once("releaseLock", delay(0, 150));
  const updating = state.update((n) => n + 1);
  const saving = state.save(7); // ends the batch
  const waiting = expect(state.update((n) => n + 1)).rejects.toMatchObject({ code: "CLOSED" }); // is kept for
  await underWay(faults, "releaseLock");
  await store.close({ drainMs: 20 });
  expect(await updating).toBe(1);
  const revision = await saving;
  await waiting;
  expect(await other.state("x").read()).toMatchObject({ value: 7, revision });
  expect(await other.lock("x").inspect()).toBeNull();
});

test("[P2] a call that waits is told for which lock", async () => {
  const store = open("memory:");
  await store.lock("x").acquire();
  await store.semaphore("permits", { permits: 1 }).acquire();
  const reading = await store.lock("shared").acquire({ shared: true });
  const waiting = {
    '"x"': [store.lock("x").acquire(), store.state("x").save(1), store.lockAll(["a", "x"]).acquire()],
    'of semaphore "permits"': [store.semaphore("permits", { permits: 1 }).acquire()],
    '"shared"': [store.lock("shared").acquire()],
  };
  const told = Object.entries(waiting).flatMap(([lock, calls]) =>
    calls.map((call) =>
      expect(call).rejects.toMatchObject({
        code: "CLOSED",
        message: expect.stringContaining(`this call for the lock ${lock} was ended`) as string,
      }),
    ),
  );
  await poll(async () => (await store.lock("shared").inspect())?.waiters).toBe(1);
  await store.close({ drainMs: 0 });
  await Promise.all(told);
  expect(reading.signal.aborted).toBe(true);
});
