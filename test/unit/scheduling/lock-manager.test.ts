// The locks that the callers of one store want: one queue and one ticket at a time for each id, and how all of that ends.

import { beforeEach, describe, expect, test, vi } from "vitest";

import type { AcquireRequest } from "../../../src/backends/contract.ts";
import type { LockManager } from "../../../src/scheduling/lock-manager.ts";
import type { GrantRequest } from "../../../src/scheduling/request.ts";
import { Later, outcomeOf, quiet, type Room, withRoom } from "../support/rooms.ts";

describe("the lock manager", () => {
  let room: Room;
  let locks: LockManager;
  withRoom(async (fresh) => {
    room = fresh;
    const { LockManager } = await import("../../../src/scheduling/lock-manager.ts");
    locks = new LockManager(room.tickets);
  });

  const add = (id: string, ...how: Parameters<Room["grantRequest"]>): GrantRequest => {
    const request = room.grantRequest(...how);
    locks.add(id, request);
    return request;
  };
  const asks = (id?: string) =>
    room.backend.argsOf("acquireLock").filter(([of]) => id === undefined || of === id);
  const use = async (id: string): Promise<void> => {
    await (await add(id).granted).release();
    await quiet();
  };

  test("[L2] requests of one tick for one id share a ticket, and are served in call order", async () => {
    const [a, b, c] = [add("x"), add("x"), add("x")];
    const first = await a.granted;
    expect([await outcomeOf(b.granted), asks().length]).toEqual(["pending", 1]);
    expect((asks()[0]?.[2] as AcquireRequest).fences).toBe(3);
    await first.release();
    const second = await b.granted;
    expect([second.fence, await outcomeOf(c.granted)]).toEqual([first.fence + 1, "pending"]);
    await second.release();
    await (await c.granted).release();
    expect(asks()).toHaveLength(1);
  });

  test("[L2] once its process had to wait for others, one hold serves those who come until it is granted as well", async () => {
    const waiting = { status: "waiting", holder: { token: "other", foreign: false }, retryInMs: 5, ahead: 0 };
    const granted = (fences: number): object => ({
      ...{ status: "granted", fence: 100, fences, leaseMs: 30_000, waiting: 1 },
    });
    const wanted: number[] = [];
    const replies = [waiting, waiting, undefined]; // it waits, asks again and is served; then the lock is free
    room.backend.answer("acquireLock", (_id, _ticket, request) => {
      const { fences } = request as AcquireRequest;
      wanted.push(fences);
      return replies.shift() ?? granted(fences);
    });
    const first = add("x");
    await quiet();
    const late = add("x");
    for (let again = 0; again < 2; again += 1) {
      vi.advanceTimersByTime(6);
      await quiet();
    }
    await (await first.granted).release();
    await (await late.granted).release();
    await quiet();
    expect(wanted).toEqual([1, 16, 16]); // one ticket
    for (let n = 0; n < 2; n += 1) await use("x");
    expect(wanted).toEqual([1, 16, 16, 16, 1]); // the fourth did not wait
  });

  test("[L1] one who comes while the lock is lent waits in the same queue: the backend is not asked", async () => {
    const held = await add("x").granted;
    await quiet();
    const next = add("x");
    expect([await outcomeOf(next.granted), asks().length]).toEqual(["pending", 1]);
    await held.release();
    expect((await next.granted).isLive).toBe(true);
  });

  test("ids do not wait for each other", async () => {
    const [x, y] = [await add("x").granted, await add("y").granted];
    expect([x.isLive, y.isLive, asks("x").length, asks("y").length]).toEqual([true, true, 1, 1]);
  });

  test("an id that was given back is asked for again, by another ticket", async () => {
    await use("x");
    await use("x");
    const [first, second] = asks("x").map(([, ticket]) => ticket);
    expect(second).not.toBe(first);
  });

  test("[L7] an id for which all gave up before the first ask is not asked for, and can be used again", async () => {
    const controller = new AbortController();
    const request = add("x", { signal: controller.signal });
    controller.abort("enough");
    expect([await outcomeOf(request.granted), asks()]).toEqual(["enough", []]);
    await use("x");
    expect(asks()).toHaveLength(1);
  });

  test("[L7] an ask that nobody waits for any longer is cancelled once it is answered", async () => {
    const answer = new Later<unknown>();
    room.backend.answer("acquireLock", () => answer.promise);
    const controller = new AbortController();
    const request = add("x", { signal: controller.signal });
    await quiet();
    controller.abort("enough");
    expect(await outcomeOf(request.granted)).toBe("enough");
    answer.resolve({ status: "waiting", holder: { token: "other", foreign: true }, retryInMs: 5, ahead: 0 });
    await quiet();
    expect(room.backend.methods).toEqual(["acquireLock", "cancelLock"]);
  });

  test("a refusal fails those who wait for that id, and no others", async () => {
    const { UnavailableError } = room.modules;
    room.backend.answer("acquireLock", (id) =>
      id === "x"
        ? Promise.reject(new UnavailableError("no way", { code: "ACCESS_DENIED" }))
        : { status: "granted", fence: 7, fences: 1, leaseMs: 30_000, waiting: 0 },
    );
    const [a, b, other] = [add("x"), add("x"), add("y")];
    for (const { granted } of [a, b])
      expect(await outcomeOf(granted)).toMatchObject({ code: "ACCESS_DENIED" });
    expect((await other.granted).fence).toBe(7);
  });

  describe("[P2] at the end", () => {
    let held: Awaited<GrantRequest["granted"]>;
    beforeEach(async () => {
      held = await add("x").granted;
    });

    test("those who wait fail, for every id; those who are served go on", async () => {
      const other = await add("y").granted;
      const waiting = [add("x"), add("x"), add("y")];
      locks.rejectWaiters();
      for (const { granted } of waiting) expect(await outcomeOf(granted)).toMatchObject({ code: "CLOSED" });
      expect([held.isLive, await held.release(), await other.release()]).toEqual([true, true, true]);
    });

    test("all is served once the last lock was given back", async () => {
      const other = await add("y").granted;
      const served = locks.served();
      await held.release();
      expect(await outcomeOf(served)).toBe("pending");
      await other.release();
      expect(await outcomeOf(served)).toBeUndefined();
      expect(await outcomeOf(locks.served())).toBeUndefined(); // and stays so
    });

    test("one who only waits is not served: that is not waited for", async () => {
      await held.release();
      room.backend.answer("acquireLock", () => new Later<unknown>().promise);
      add("z");
      await quiet();
      expect(await outcomeOf(locks.served())).toBeUndefined();
    });
  });

  test("[S8] a plain write that is on its way is not ended; held, it fails as those who wait did", async () => {
    const answer = new Later<unknown>();
    room.backend.answer("writeState", () => answer.promise);
    const save = room.save(1);
    locks.add("x", room.changeRequest(save));
    await quiet();
    locks.rejectWaiters();
    expect(await outcomeOf(save.promise)).toBe("pending");
    answer.resolve({ status: "busy" });
    expect(await outcomeOf(save.promise)).toMatchObject({ code: "CLOSED" });
  });

  test("[L1] [L2] when those without callers are swept, one with callers stays: no second ticket for its id", async () => {
    const busy = await add("busy").granted;
    const waiting = add("busy");
    for (let n = 0; n < 1_010; n += 1) await (await add(`id ${String(n)}`).granted).release();
    await quiet();
    const late = add("busy");
    await quiet();
    expect([asks("busy").length, await outcomeOf(late.granted)]).toEqual([1, "pending"]);
    await busy.release();
    await (await waiting.granted).release();
    expect((await late.granted).isLive).toBe(true);
    await use("id 0");
    expect(asks("id 0")).toHaveLength(2);
  });
});
