// A lock that a caller has: when it ends, who hears of it, and what its release waits for.

import { describe, expect, test, vi } from "vitest";

import type { Hold } from "../../../src/leases/hold.ts";
import type * as Grants from "../../../src/ownership/grant.ts";
import { Later, outcomeOf, type Room, withRoom } from "../support/rooms.ts";

const lost = { name: "LockLostError", code: "LOCK_LOST" };

describe("a grant", () => {
  let room: Room;
  let hold: Hold;
  let grants: typeof Grants;
  let heard: string[];
  withRoom(async (fresh) => {
    room = fresh;
    hold = room.hold();
    heard = [];
    grants = await import("../../../src/ownership/grant.ts");
  });

  const lender = (answer: boolean | Promise<boolean> = true): Grants.Lender => ({
    onRelease: () => {
      heard.push("released");
      return Promise.resolve(answer);
    },
    onLose: () => heard.push("lost"),
  });
  const make = (of = lender()): Grants.HeldGrant => new grants.HeldGrant({ hold, fence: 100, lender: of });
  const nested = (parent: Grants.HeldGrant): Grants.HeldGrant =>
    new grants.HeldGrant({ hold, fence: 100, parent, lender: { onRelease: () => Promise.resolve(true) } });

  describe("released", () => {
    test("[L6] tells its lender once, and answers every call with the first answer", async () => {
      const answer = new Later<boolean>();
      const grant = make(lender(answer.promise));
      const calls = [grant.release(), grant.release(), grant.end()];
      expect([heard, grant.isLive, grant.isEnded]).toEqual([["released"], false, true]);
      answer.resolve(true);
      expect(await Promise.all(calls)).toEqual([true, true, true]);
      expect([await grant.release(), heard]).toEqual([true, ["released"]]);
    });

    test("[L6] is false where the lender says that it had been lost", async () => {
      expect(await make(lender(false)).release()).toBe(false);
    });

    test("fails where the backend did not answer, and for every call", async () => {
      const grant = make(lender(Promise.reject(new Error("no answer"))));
      await expect(grant.release()).rejects.toThrow("no answer");
      await expect(grant.release()).rejects.toThrow("no answer");
    });

    test("[L6] its signal never aborts, though the lock is lost later", async () => {
      const grant = make();
      const { signal } = grant;
      await grant.release();
      hold.lose("why");
      expect([signal.aborted, grant.signal.aborted, heard]).toEqual([false, false, ["released"]]);
    });

    test("[L7] is forgotten by the hold, and by the grant that it was nested in", async () => {
      const outer = make();
      const inner = nested(outer);
      const [gaveBack, forgot] = [vi.spyOn(hold, "giveBack"), vi.spyOn(outer, "forget")];
      await inner.release();
      await outer.release();
      expect([gaveBack.mock.calls.flat().includes(outer), forgot.mock.calls]).toEqual([true, [[inner]]]);
    });

    test("by `await using`", async () => {
      {
        await using grant = make();
        expect(grant.isLive).toBe(true);
      }
      expect(heard).toEqual(["released"]);
    });

    test("says what is too late: that it was released before", async () => {
      const grant = make();
      expect(grant.lossError).toBeUndefined();
      await grant.release();
      expect(grant.lossError).toMatchObject(lost);
      expect(grant.lossError?.message).toContain("it was released before");
    });
  });

  describe("lost", () => {
    test("[L4] aborts its signal with the reason, tells its lender once, and cannot be released", async () => {
      const grant = make();
      const { signal } = grant;
      hold.lose("it was force-released");
      grant.lose("again");
      expect(signal.reason).toMatchObject(lost);
      expect((signal.reason as Error).message).toMatch(/"x" \(fence 100\).*it was force-released/);
      expect([grant.isLive, grant.lossError, heard]).toEqual([false, signal.reason, ["lost"]]);
      expect(await grant.release()).toBe(false);
    });

    test("[L4] a signal that is asked for afterwards is aborted already", () => {
      const grant = make();
      hold.lose("why");
      expect(grant.signal.aborted).toBe(true);
    });

    test("[P2] an error that is given as the reason is the reason", () => {
      const grant = make();
      const closed = new Error("The store was closed.");
      hold.lose(closed);
      expect([grant.signal.reason, grant.lossError]).toEqual([closed, closed]);
    });

    test("[L5] by the clock, at its first use, though no timer has fired", async () => {
      const grant = make();
      const { signal } = grant;
      room.tickets.unwatch(hold); // no timer looks
      vi.advanceTimersByTime(30_000);
      expect(signal.aborted).toBe(false);
      expect([grant.isLive, signal.aborted]).toEqual([false, true]);
      expect(await grant.release()).toBe(false);
    });

    test("[L5] a signal that is asked for once the lease is over is aborted already", () => {
      const grant = make();
      room.tickets.unwatch(hold);
      vi.advanceTimersByTime(30_000);
      expect(grant.signal.aborted).toBe(true);
    });

    test("[L4] a listener that releases does no harm to the others", async () => {
      const [first, second] = [make(), make()];
      first.signal.addEventListener("abort", () => void first.release());
      hold.lose("why");
      expect([second.signal.aborted, await first.release()]).toEqual([true, false]);
    });
  });

  describe("nested", () => {
    test("[L4] is released by itself: the outer one goes on", async () => {
      const outer = make();
      const inner = nested(outer);
      expect(await inner.release()).toBe(true);
      expect([inner.isLive, outer.isLive]).toEqual([false, true]);
      await outer.release();
      expect(inner.signal.aborted).toBe(false); // it had ended in good order
    });

    test("[L4] ends with the one that it is nested in, at every depth", async () => {
      const outer = make();
      const inner = nested(outer);
      const innermost = nested(inner);
      const signals = [inner.signal, innermost.signal];
      const releasing = outer.release();
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
      expect(inner.lossError?.message).toContain("the grant that it was nested in was released");
      expect([await releasing, outer.signal.aborted]).toEqual([true, false]);
      expect(await innermost.release()).toBe(false);
    });

    test("[L4] is lost with the lock", () => {
      const outer = make();
      const inner = nested(outer);
      const { signal } = inner;
      hold.lose("why");
      expect([signal.aborted, signal.reason]).toEqual([true, outer.lossError]);
    });
  });

  describe("[S4] writes under it", () => {
    test("are answered before its release, also those that fail and those that begin meanwhile", async () => {
      const grant = make();
      const [first, second] = [new Later<number>(), new Later<number>()];
      const written = grant.track(first.promise);
      const releasing = grant.release();
      expect([await outcomeOf(releasing), heard]).toEqual(["pending", []]);
      grant.track(second.promise).catch(() => undefined);
      first.resolve(7);
      expect([await written, await outcomeOf(releasing), heard]).toEqual([7, "pending", []]);
      second.reject(new Error("refused"));
      expect([await releasing, heard]).toEqual([true, ["released"]]);
    });

    test("of a nested grant are waited for by the outer one", async () => {
      const outer = make();
      const write = new Later<number>();
      void nested(outer).track(write.promise);
      const releasing = outer.release();
      expect([await outcomeOf(releasing), heard]).toEqual(["pending", []]);
      write.resolve(1);
      expect(await releasing).toBe(true);
    });

    test("that are over are not waited for", async () => {
      const grant = make();
      await grant.track(Promise.resolve());
      await outcomeOf(Promise.resolve());
      void grant.release();
      expect(heard).toEqual(["released"]);
    });
  });

  test("what is given as a grant must be one of this store and of this id", async () => {
    const { parseGrant } = await import("../../../src/ownership/parse-grant.ts");
    const grant = make();
    expect(parseGrant(grant, hold.store, "x")).toBe(grant);
    const parse =
      (...args: Parameters<typeof parseGrant>) =>
      () =>
        parseGrant(...args);
    expect(parse({ id: "x", fence: 100 }, hold.store, "x")).toThrow(/must come from lock.acquire/);
    expect(parse(grant, {}, "x")).toThrow(/another store/);
    expect(parse(grant, hold.store, "y")).toThrow(/belongs to the lock "x".*"y"/);
  });
});
