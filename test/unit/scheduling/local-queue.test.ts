// The local queue of one lock: order, deadlines and signals, and nothing left behind [L2] [L7].

import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { BackendCalls } from "../../../src/calls/backend-calls.ts";
import { json } from "../../../src/index.ts";
import { LocalQueue } from "../../../src/scheduling/local-queue.ts";
import { ChangeRequest, GrantRequest, type Request } from "../../../src/scheduling/request.ts";
import { DeleteChange } from "../../../src/updates/change.ts";
import { Codec } from "../../../src/updates/codec.ts";

describe("a local queue", () => {
  let calls: BackendCalls;
  let queue: LocalQueue;
  let emptied: number;
  let failed: Map<Request, unknown>;

  beforeEach(() => {
    calls = new BackendCalls(new MemoryBackend(), 1_000);
    emptied = 0;
    failed = new Map();
    queue = new LocalQueue(calls, {
      timeoutError: (request) => new Error(`waited ${String(request.waitMs)}`),
      onEmpty: () => (emptied += 1),
    });
  });
  afterEach(() => calls.close());

  const grantRequest = (waitMs = 10_000, signal?: AbortSignal): GrantRequest => {
    const request = new GrantRequest({ leaseMs: 1_000, waitMs, signal });
    request.granted.catch((error: unknown) => failed.set(request, error));
    return request;
  };
  const changeRequest = (): ChangeRequest => {
    const target = { id: "x", codec: new Codec("x", json, 1_000), durability: undefined };
    const change = new DeleteChange(target, undefined);
    return new ChangeRequest({ leaseMs: 1_000, waitMs: 10_000, signal: undefined }, change);
  };
  const add = <R extends Request>(request: R): R => {
    queue.add(request);
    return request;
  };
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test("[L2] keeps the order, and lets anybody leave from the middle, once", () => {
    const [a, b, c] = [add(grantRequest()), add(grantRequest()), add(grantRequest())];
    expect([queue.head, queue.size]).toEqual([a, 3]);
    expect(queue.remove(b)).toBe(true);
    expect(queue.remove(b)).toBe(false);
    queue.remove(a);
    expect([queue.head, queue.size]).toEqual([c, 1]);
  });

  test("[L7] whoever leaves or fails leaves no listener behind", async () => {
    const { signal } = new AbortController();
    const [a, b] = [add(grantRequest(10_000, signal)), add(grantRequest(10_000, signal))];
    expect(getEventListeners(signal, "abort")).toHaveLength(1); // one for all of them
    queue.remove(a);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    queue.reject(b, new Error("no"));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await tick();
    expect(failed.get(b)).toEqual(new Error("no"));
  });

  test("[L7] an abort rejects with the reason itself, and tells when nobody is left", async () => {
    const controller = new AbortController();
    const [a, b] = [add(grantRequest(10_000, controller.signal)), add(grantRequest())];
    const reason = { any: "thing" };
    controller.abort(reason);
    await tick();
    expect(failed.get(a)).toBe(reason);
    expect([queue.head, emptied]).toEqual([b, 0]);
    queue.reject(b, new Error("no"));
    expect(emptied).toBe(1);
    queue.reject(b, new Error("no"));
    expect(emptied).toBe(1);
  });

  test("whoever's time is over fails only when the lock is known to be held", async () => {
    const request = add(grantRequest(1));
    await vi.waitUntil(() => request.isExpired);
    expect([request.isExpired, queue.size]).toEqual([true, 1]); // the first answer may serve it yet
    queue.lockIs("taken");
    await tick();
    expect(failed.get(request)).toEqual(new Error("waited 1"));
  });

  test("whoever only tries fails at once when the lock is known to be held, and not once it may be free", async () => {
    queue.lockIs("ours");
    const held = add(grantRequest(0));
    await tick();
    expect(failed.get(held)).toEqual(new Error("waited 0"));
    queue.lockIs("unknown");
    add(grantRequest(0));
    expect(queue.size).toBe(1);
    expect(queue.hasPatience).toBe(false);
    add(grantRequest());
    expect(queue.hasPatience).toBe(true);
  });

  test("while changes are applied, those that were there in time are spared", async () => {
    const request = add(grantRequest(0));
    queue.lockIs("ours");
    await tick();
    expect(failed.has(request)).toBe(false);
  });

  test("[S5] what is put back stands at the head; what ended its waiting meanwhile ends it now", async () => {
    const controller = new AbortController();
    const [a, b] = [add(grantRequest(10_000, controller.signal)), add(grantRequest(1))];
    const last = add(grantRequest());
    queue.remove(b);
    queue.remove(a);
    queue.putBack(a);
    expect([queue.head, queue.size]).toEqual([a, 2]);
    queue.remove(a);
    controller.abort(new Error("aborted meanwhile"));
    await vi.waitUntil(() => b.isDue);
    expect(failed.size).toBe(0);
    queue.putBack(a);
    queue.lockIs("taken");
    queue.putBack(b);
    await tick();
    expect([failed.get(a), failed.get(b)]).toEqual([new Error("aborted meanwhile"), new Error("waited 1")]);
    expect([queue.head, queue.size, emptied]).toEqual([last, 1, 0]);
  });

  test("[L3] one fence for each grant that is waited for and for each run of changes, at most 64 and at least one", () => {
    expect(queue.fencesWanted).toBe(1);
    for (const request of [
      grantRequest(),
      changeRequest(),
      changeRequest(),
      grantRequest(),
      grantRequest(),
      changeRequest(),
    ])
      add(request);
    expect(queue.fencesWanted).toBe(5);
    for (let n = 0; n < 100; n += 1) add(grantRequest());
    expect(queue.fencesWanted).toBe(64);
  });

  test("[L3] where others want the lock as well, there are fences for grants that are asked for later", () => {
    queue.isContended = true;
    add(changeRequest());
    expect(queue.fencesWanted).toBe(1); // later changes join the run
    add(grantRequest());
    expect(queue.fencesWanted).toBe(16);
    for (let n = 0; n < 20; n += 1) add(grantRequest());
    expect(queue.fencesWanted).toBe(22);
  });

  test("rejectAll picks", async () => {
    const [a, b] = [add(grantRequest(1_000)), add(grantRequest(2_000))];
    queue.rejectAll(new Error("no"), ({ waitMs }) => waitMs === 1_000);
    await tick();
    expect([failed.has(a), failed.has(b), queue.size]).toEqual([true, false, 1]);
  });
});
