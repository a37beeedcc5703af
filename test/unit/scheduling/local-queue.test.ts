// The line of one cohort: order, patience, and nothing left behind [L2] [L7].

import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Conversations } from "../../../src/calls/backend-calls.ts";
import { GrantJob, StateJob, type Job, type StateTask } from "../../../src/scheduling/request.ts";
import { Line } from "../../../src/scheduling/local-queue.ts";
import { MemoryBackend } from "../../../src/backends/memory/backend.ts";

const task = (): StateTask => ({
  apply: () => undefined,
  done: () => undefined,
  fail: () => undefined,
  wantsRevision: false,
});

describe("a line", () => {
  let conversations: Conversations;
  let line: Line;
  let emptied: number;
  let failed: Map<Job, unknown>;

  beforeEach(() => {
    conversations = new Conversations(new MemoryBackend(), 1_000);
    emptied = 0;
    failed = new Map();
    line = new Line(conversations, {
      timeout: (job) => new Error(`waited ${String(job.waitMs)}`),
      onEmpty: () => (emptied += 1),
    });
  });
  afterEach(() => conversations.close());

  const grantJob = (waitMs = 10_000, signal?: AbortSignal): GrantJob => {
    const job = new GrantJob({ leaseMs: 1_000, waitMs, signal });
    job.granted.catch((error: unknown) => failed.set(job, error));
    return job;
  };
  const stateJob = (): StateJob =>
    new StateJob({ leaseMs: 1_000, waitMs: 10_000, signal: undefined }, task());
  const add = <J extends Job>(job: J): J => {
    line.add(job);
    return job;
  };
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test("[L2] keeps the order, and lets anybody leave from the middle, once", () => {
    const [a, b, c] = [add(grantJob()), add(grantJob()), add(grantJob())];
    expect([line.head, line.size]).toEqual([a, 3]);
    expect(line.leave(b)).toBe(true);
    expect(line.leave(b)).toBe(false);
    line.leave(a);
    expect([line.head, line.size]).toEqual([c, 1]);
  });

  test("[L7] whoever leaves or fails leaves no listener behind", async () => {
    const { signal } = new AbortController();
    const [a, b] = [add(grantJob(10_000, signal)), add(grantJob(10_000, signal))];
    expect(getEventListeners(signal, "abort")).toHaveLength(1); // one for all of them
    line.leave(a);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    line.reject(b, new Error("no"));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await tick();
    expect(failed.get(b)).toEqual(new Error("no"));
  });

  test("[L7] an abort rejects with the reason itself, and tells when nobody is left", async () => {
    const controller = new AbortController();
    const [a, b] = [add(grantJob(10_000, controller.signal)), add(grantJob())];
    const reason = { any: "thing" };
    controller.abort(reason);
    await tick();
    expect(failed.get(a)).toBe(reason);
    expect([line.head, emptied]).toEqual([b, 0]);
    line.reject(b, new Error("no"));
    expect(emptied).toBe(1);
    line.reject(b, new Error("no"));
    expect(emptied).toBe(1);
  });

  test("whoever's time is over fails only when the lock is known to be held", async () => {
    const job = add(grantJob(1));
    await vi.waitUntil(() => job.impatient);
    expect([job.impatient, line.size]).toEqual([true, 1]); // the first answer may serve it yet
    line.block();
    await tick();
    expect(failed.get(job)).toEqual(new Error("waited 1"));
  });

  test("whoever only tries fails at once when the lock is known to be held, and not once it may be free", async () => {
    line.blockNewcomers();
    const held = add(grantJob(0));
    await tick();
    expect(failed.get(held)).toEqual(new Error("waited 0"));
    line.unblock();
    add(grantJob(0));
    expect(line.size).toBe(1);
    expect(line.patient).toBe(false);
    add(grantJob());
    expect(line.patient).toBe(true);
  });

  test("blocking newcomers spares those who stand in line", async () => {
    const job = add(grantJob(0));
    line.blockNewcomers();
    await tick();
    expect(failed.has(job)).toBe(false);
  });

  test("[S5] whose write is under way is not rejected before its answer, and then with the first reason", async () => {
    const controller = new AbortController();
    const job = add(grantJob(10_000, controller.signal));
    line.engage(job);
    controller.abort(new Error("first"));
    line.rejectAll(new Error("second"));
    await tick();
    expect([failed.has(job), line.size]).toEqual([false, 1]);
    line.disengage();
    await tick();
    expect(failed.get(job)).toEqual(new Error("first"));
    expect([line.size, emptied]).toEqual([0, 1]);
  });

  test("[S5] whose write was carried out has left, and is not rejected afterwards", async () => {
    const job = add(grantJob());
    line.engage(job);
    line.rejectAll(new Error("closing"));
    expect(line.leave(job)).toBe(true);
    line.disengage();
    await tick();
    expect(failed.has(job)).toBe(false);
  });

  test("[L3] one fence for each grant job and for each run of state jobs, at most 64 and at least one", () => {
    expect(line.fencesWanted).toBe(1);
    for (const job of [grantJob(), stateJob(), stateJob(), grantJob(), grantJob(), stateJob()]) add(job);
    expect(line.fencesWanted).toBe(5);
    for (let n = 0; n < 100; n += 1) add(grantJob());
    expect(line.fencesWanted).toBe(64);
  });

  test("rejectAll picks", async () => {
    const [a, b] = [add(grantJob(1_000)), add(grantJob(2_000))];
    line.rejectAll(new Error("no"), ({ waitMs }) => waitMs === 1_000);
    await tick();
    expect([failed.has(a), failed.has(b), line.size]).toEqual([true, false, 1]);
  });
});
