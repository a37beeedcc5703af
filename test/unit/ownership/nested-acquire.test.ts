// A grant inside a grant [L4]: branches of one owner, one after the other; how they wait, and what ends their waiting.

import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";

import type { Hold } from "../../../src/leases/hold.ts";
import type { HeldGrant } from "../../../src/ownership/grant.ts";
import type { acquireNested } from "../../../src/ownership/nested-acquire.ts";
import type { WaitOptions } from "../../../src/ownership/wait-options.ts";
import { Later, outcomeOf, type Room, withRoom } from "../support/rooms.ts";

describe("[L4] re-entry", () => {
  let room: Room;
  let hold: Hold;
  let parent: HeldGrant;
  let enter: (how?: Partial<WaitOptions>) => ReturnType<typeof acquireNested>;
  withRoom(async (fresh) => {
    room = fresh;
    hold = room.hold();
    const { HeldGrant } = await import("../../../src/ownership/grant.ts");
    const { acquireNested } = await import("../../../src/ownership/nested-acquire.ts");
    parent = new HeldGrant({ hold, fence: 100, lender: { onRelease: () => Promise.resolve(true) } });
    enter = (how = {}) => {
      const nested = acquireNested(room.calls, parent, {
        ...{ leaseMs: 30_000, waitMs: 60_000, signal: undefined },
        ...how,
      });
      nested.catch(() => undefined);
      return nested;
    };
  });

  const isFree = (): boolean => {
    const unlock = parent.mutex.tryLock();
    unlock?.();
    return unlock !== undefined;
  };

  test("shares hold and fence, without a word to the backend; its release is not the outer one's", async () => {
    const nested = await enter();
    expect([nested.hold, nested.fence, nested.parent]).toEqual([hold, 100, parent]);
    expect(await nested.release()).toBe(true);
    expect([parent.isLive, isFree(), room.backend.sent]).toEqual([true, true, []]);
  });

  test("branches go one after the other, in call order, each at the release of the one before", async () => {
    const [a, b, c] = [enter(), enter(), enter()];
    const first = await a;
    expect([await outcomeOf(b), await outcomeOf(c)]).toEqual(["pending", "pending"]);
    await first.release();
    const second = await b;
    expect(await outcomeOf(c)).toBe("pending");
    await second.release();
    await (await c).release();
    expect(isFree()).toBe(true);
  });

  describe("waiting ends", () => {
    test("at once with waitMs 0, and the mutex is as it was", async () => {
      const busy = await enter();
      await expect(enter({ waitMs: 0 })).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
      await busy.release();
      expect((await enter({ waitMs: 0 })).isLive).toBe(true);
    });

    test("[L7] when waitMs is over; it is passed over then", async () => {
      const busy = await enter();
      const [late, next] = [enter({ waitMs: 500 }), enter()];
      vi.advanceTimersByTime(499);
      expect(await outcomeOf(late)).toBe("pending");
      vi.advanceTimersByTime(20);
      expect(await outcomeOf(late)).toMatchObject({ code: "LOCK_TIMEOUT" });
      expect(String(await outcomeOf(late))).toContain("waitMs (500 ms)");
      await busy.release();
      expect((await next).isLive).toBe(true);
    });

    test("[L7] by the caller's signal, with its reason; no listener and no timer stays behind", async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const busy = await enter();
      const timers = vi.getTimerCount();
      const waiting = enter({ signal });
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      controller.abort("enough");
      expect(await outcomeOf(waiting)).toBe("enough");
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
      expect(vi.getTimerCount()).toBeLessThanOrEqual(timers + 1); // deadlines share one
      await busy.release();
      expect(isFree()).toBe(true);
    });

    test("[L7] a branch that was let in leaves no listener either", async () => {
      const { signal } = new AbortController();
      const busy = await enter();
      const waiting = enter({ signal });
      await busy.release();
      await waiting;
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
    });

    test("[L7] no deadline stays behind", async () => {
      const { deadlines } = room.calls;
      const [set, clear] = [vi.spyOn(deadlines, "set"), vi.spyOn(deadlines, "clear")];
      const busy = await enter();
      const waiting = enter();
      await busy.release();
      await waiting;
      expect(set.mock.results.map(({ value }) => value as unknown)).toEqual(clear.mock.calls.flat());
    });

    test("[L7] in the very moment in which it was let in: it is let in, and gives the mutex back", async () => {
      const controller = new AbortController();
      const busy = await enter();
      const waiting = enter({ signal: controller.signal });
      void busy.release();
      controller.abort("enough");
      await (await waiting).release();
      expect(isFree()).toBe(true);
    });

    test("[P1] keeps the process alive until then, and no longer", async () => {
      const { keepAlive } = room.calls;
      const [held, dropped] = [vi.spyOn(keepAlive, "ref"), vi.spyOn(keepAlive, "unref")];
      const busy = await enter();
      const [a, b] = [enter(), enter({ waitMs: 100 })];
      expect([held.mock.calls.length, dropped.mock.calls.length]).toEqual([2, 0]);
      await busy.release();
      await a;
      vi.advanceTimersByTime(200);
      await outcomeOf(b);
      expect(dropped.mock.calls.length).toBe(2);
    });

    test.each([
      ["lost", () => hold.lose("why"), "why"],
      ["released", () => void parent.release(), "released before"],
    ])("when the outer grant is %s: with what ended it", async (_, end, why) => {
      const busy = await enter();
      const waiting = enter();
      end();
      expect(String(await outcomeOf(waiting))).toContain(why);
      expect(busy.signal.aborted).toBe(true);
    });
  });

  test("when the lock is lost while something else is done under the outer grant: at once", async () => {
    const unlock = parent.mutex.tryLock();
    const waiting = enter();
    hold.lose("why");
    expect(await outcomeOf(waiting)).toMatchObject({ code: "LOCK_LOST" });
    unlock?.();
    expect(isFree()).toBe(true);
  });

  test("an outer grant that has ended lets no branch in, and its mutex is free", async () => {
    await parent.release();
    await expect(enter()).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(isFree()).toBe(true);
  });

  test("a branch that is lost with the outer grant lets the others go, though it is never released", async () => {
    await enter();
    hold.lose("why");
    expect(isFree()).toBe(true);
  });

  describe("[L1] replicas", () => {
    const durability = { replicas: 1, timeoutMs: 100 };

    test("that are known to have the grant are not asked again", async () => {
      hold.replicated(1);
      expect((await enter({ durability })).isLive).toBe(true);
      expect(room.backend.sent).toEqual([]);
    });

    test("are waited for before the branch goes on", async () => {
      const replicas = new Later<number>();
      room.backend.answer("awaitReplicas", () => replicas.promise);
      const waiting = enter({ durability });
      expect(await outcomeOf(waiting)).toBe("pending");
      replicas.resolve(1);
      expect((await waiting).isLive).toBe(true);
    });

    test("too few: refused, and the next branch is let in", async () => {
      room.backend.answer("awaitReplicas", () => 0);
      const [refused, next] = [enter({ durability }), enter()];
      expect(await outcomeOf(refused)).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
      expect((await next).isLive).toBe(true);
    });

    test("a server that does not know the lock: it is lost, for the outer caller too", async () => {
      room.backend.answer("awaitReplicas", () => "gone");
      expect(await outcomeOf(enter({ durability }))).toMatchObject({ code: "LOCK_LOST" });
      expect(parent.isLive).toBe(false);
    });
  });
});
