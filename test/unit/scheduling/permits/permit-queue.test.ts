// Callers of one process that want permits: how many tickets ask, for whom, and who gets permits that are given back.
//
// Seen failing: permits of another weight handed on · handed on without a bound · a caller behind the first one served · a ticket
// that goes on asking for nobody · a newcomer that tries, and is served before those that wait · a queue that is never over · a
// refusal that fails callers with other terms · permits handed on after a resize · a light request that
// fails since a heavy one did · one that can never be granted is not told before its turn · a time-out that names no holder.

import { describe, expect, test, vi } from "vitest";

import { Later, outcomeOf, quiet } from "../../support/rooms.ts";
import { busy, waiting, withPermits } from "./permit-room.ts";

describe("the queue of a semaphore", () => {
  const permits = withPermits();
  const { add, answer, grant, asked, count } = permits;

  test("[L13] tickets ask in call order, for as many as could be granted together", async () => {
    [2, 1, 1].forEach((weight) => add(weight));
    await quiet();
    expect(asked()).toEqual([2, 1]);
    await grant(0);
    expect(asked()).toEqual([2, 1, 1]);
    expect(permits.asks.map(({ request }) => request.fences)).toEqual([64, 64, 64]);
  });

  test("[L13] without a known limit, many ask together until one of them waits", async () => {
    Object.defineProperty(permits.room.backend, "pushes", { get: () => false });
    Array.from({ length: 6 }, () => add(1, {}, null));
    await quiet();
    expect(permits.asks.length).toBe(4);
    await grant(0);
    expect(permits.asks.length).toBe(5);
    await answer(1, waiting);
    await grant(2);
    expect(permits.asks.length).toBe(5);
  });

  test("one caller alone asks for one fence; its release ends all", async () => {
    const request = add();
    await quiet();
    expect(permits.asks[0]?.request.fences).toBe(1);
    await grant(0);
    expect(await (await request.granted).release()).toBe(true);
    expect([count("releaseLock"), permits.idle, permits.serving.count]).toEqual([1, 1, 0]);
  });

  test("[L3] [L13] permits that are given back go to the first caller, each time with a fence of its own", async () => {
    const requests = Array.from({ length: 4 }, () => add(3));
    await quiet();
    await grant(0);
    await answer(1, waiting);
    for (const [index, { granted }] of requests.entries()) {
      const held = await granted;
      expect([held.fence, count("releaseLock")]).toEqual([100 + index, 0]);
      if (index < 3) expect(await held.release()).toBe(true);
    }
    await quiet();
    expect([count("cancelLock"), permits.idle]).toEqual([1, 0]); // nobody wants what the second ticket waits for
    expect(await (await requests[3]?.granted)?.release()).toBe(true);
    expect([count("releaseLock"), permits.idle, permits.serving.count]).toEqual([1, 1, 0]);
  });

  test("[L13] the caller that gave them back comes after those that waited", async () => {
    const [first, second] = [add(3), add(3)];
    await quiet();
    await grant(0);
    await (await first.granted).release();
    const again = add(3);
    expect((await second.granted).fence).toBe(101);
    expect(await outcomeOf(again.granted)).toBe("pending");
    expect(count("cancelLock")).toBe(0); // the ticket that asked for the second caller is the next one's
  });

  test("[L2] not for longer than 10 ms, so that other clients get them", async () => {
    const [first, second] = [add(3), add(3)];
    await quiet();
    await grant(0);
    vi.advanceTimersByTime(10);
    await (await first.granted).release();
    expect(count("releaseLock")).toBe(1);
    expect(await outcomeOf(second.granted)).toBe("pending");
    await grant(1);
    expect((await second.granted).fence).toBe(200);
  });

  test("[L13] once the limit was changed, permits that were granted before are released", async () => {
    const [first] = [add(3), add(3)];
    await quiet();
    await grant(0);
    permits.queue.resized();
    await (await first.granted).release();
    expect(count("releaseLock")).toBe(1);
  });

  test("[L13] permits that do not suit the first caller are released: nobody overtakes it", async () => {
    for (const other of [
      { weight: 3, how: {}, limit: 3 },
      { weight: 1, how: { leaseMs: 5_000 }, limit: 3 },
      { weight: 1, how: {}, limit: null },
      { weight: 1, how: { durability: { replicas: 1, timeoutMs: 100 } }, limit: 3 },
    ]) {
      const before = [permits.asks.length, count("releaseLock")] as const;
      const [first, different, same] = [add(), add(other.weight, other.how, other.limit), add()];
      await quiet();
      await grant(before[0]);
      await (await first.granted).release();
      expect(count("releaseLock")).toBe(before[1] + 1);
      for (const { granted } of [different, same]) expect(await outcomeOf(granted)).toBe("pending");
      permits.queue.rejectAll(new Error("the next"));
      await quiet();
    }
  });

  test("[L7] the ticket of a caller that gave up leaves, and the others keep their places", async () => {
    const abort = new AbortController();
    add(1, { signal: abort.signal });
    const heavy = add(2);
    await quiet();
    await answer(0, waiting);
    await answer(1, waiting);
    abort.abort();
    await quiet();
    expect([count("cancelLock"), asked()]).toEqual([1, [1, 2]]);
    permits.queue.rejectAll(new Error("closing"));
    expect(await outcomeOf(heavy.granted)).toMatchObject({ message: "closing" });
    expect([count("cancelLock"), permits.idle]).toEqual([2, 1]);
  });

  test("[L7] a grant that comes for nobody is given back", async () => {
    const abort = new AbortController();
    add(1, { signal: abort.signal });
    await quiet();
    abort.abort();
    await quiet();
    await grant(0);
    expect([count("releaseLock"), permits.serving.count]).toEqual([1, 0]);
  });

  test("one that only tries asks, unless a ticket of the process waits", async () => {
    add(3);
    const trying = add(3, { waitMs: 0 });
    await quiet();
    await answer(0, waiting);
    expect(await outcomeOf(trying.granted)).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect(await outcomeOf(add(3, { waitMs: 0 }).granted)).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect(permits.asks.length).toBe(1);
  });

  test("of several that only try in the same tick, those fail whose permits are not free", async () => {
    const [heavy, light] = [add(3, { waitMs: 0 }), add(1, { waitMs: 0 })];
    await quiet();
    await answer(0, { status: "busy", ahead: 0, ...busy });
    expect(await outcomeOf(heavy.granted)).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect(asked()).toEqual([3, 1]);
    await grant(1);
    expect((await light.granted).fence).toBe(100);
  });

  test("one that tries alone joins no queue, and leaves nothing", async () => {
    const trying = add(3, { waitMs: 0 });
    await quiet();
    expect(permits.asks[0]?.request.queue).toBe(false);
    await answer(0, { status: "busy", ahead: 0, ...busy });
    expect(await outcomeOf(trying.granted)).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect([permits.room.backend.methods, permits.idle]).toEqual([["acquireLock"], 1]);
  });

  test("a caller whose time is over learns who has the permits, whichever ticket was told", async () => {
    const [, late] = [add(), add(1, { waitMs: 100 })];
    await quiet();
    await answer(1, waiting);
    vi.advanceTimersByTime(100);
    expect(String(await outcomeOf(late.granted))).toMatch(/foreign client \(token "other"\)/);
  });

  test("[L13] a refusal fails those with the same terms, and no others", async () => {
    const [wrong, alike, right] = [add(1, {}, 3), add(1, {}, 3), add(1, {}, 4)];
    await quiet();
    await answer(0, { status: "mismatch", limit: 4, created: 4 });
    for (const { granted } of [wrong, alike])
      expect(await outcomeOf(granted)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await outcomeOf(right.granted)).toBe("pending");
  });

  test("[L13] one that wants more permits than there are learns it while others wait", async () => {
    add(3);
    await quiet();
    await answer(0, waiting);
    const heavy = [add(4), add(5)];
    await quiet();
    expect(asked()).toEqual([3, 4]);
    await answer(1, { status: "mismatch", limit: 3, created: 3 });
    await answer(2, { status: "mismatch", limit: 3, created: 3 });
    for (const { granted } of heavy)
      expect(await outcomeOf(granted)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("[L7] once the backend does not answer one, those that have waited as long fail with it", async () => {
    const { UnavailableError } = permits.room.modules;
    const all = [1, 2, 3].map((weight) => add(weight));
    await quiet();
    vi.advanceTimersByTime(1);
    const failure = new UnavailableError("down", { code: "UNREACHABLE", outcome: "unknown" });
    const late = new Later<unknown>();
    permits.room.backend.answer("acquireLock", () => late.promise);
    permits.asks[0]?.reply.reject(failure);
    await quiet();
    vi.advanceTimersByTime(5_000);
    for (const { granted } of all) expect(await outcomeOf(granted)).toMatchObject({ code: "UNREACHABLE" });
  });

  test("[L5] when permits are lost, their caller learns it, and the next one waits for its own ticket", async () => {
    const [first, second] = [add(3), add(3)];
    await quiet();
    await grant(0);
    const held = await first.granted;
    held.hold.lose("gone");
    expect([held.signal.aborted, await held.release()]).toEqual([true, false]);
    expect(await outcomeOf(second.granted)).toBe("pending");
    expect([count("cancelLock"), permits.serving.count]).toEqual([1, 0]);
  });
});
