// A run of changes under one hold: what is loaded, applied, saved and answered, and when; with a host made by hand.

import { describe, expect, test, vi } from "vitest";

import type { ReleaseReply, StateWrite } from "../../../src/backends/contract.ts";
import type { Hold } from "../../../src/leases/hold.ts";
import type { BatchRun } from "../../../src/updates/batch-run.ts";
import type { Change } from "../../../src/updates/change.ts";
import { Later, outcomeOf, quiet, type Room, textOf, withRoom } from "../support/rooms.ts";
import { Host, released } from "./run-host.ts";

describe("a run of changes", () => {
  let room: Room;
  let hold: Hold;
  let run: BatchRun;
  let makeRun: () => BatchRun;
  withRoom(async (fresh) => {
    room = fresh;
    const { BatchRun } = await import("../../../src/updates/batch-run.ts");
    hold = room.hold({ state: room.stored(1, 7) });
    makeRun = () => new BatchRun(room.calls, hold);
    run = makeRun();
  });
  /** A hold that came without the state; the backend has these, one after the other, the last again and again. */
  const stores = (...states: (readonly [value: unknown, revision: number] | null)[]): void => {
    hold = room.hold();
    run = makeRun();
    let at = 0;
    room.backend.answer("loadState", () => {
      const state = states[Math.min(at++, states.length - 1)];
      return state ? room.stored(...state) : null;
    });
  };
  const plusOne = (n: number): number => n + 1;

  test("[S3] each is applied to what the one before left; all are saved by one release, and answered after it", async () => {
    const reply = new Later<ReleaseReply>();
    const changes = [room.update(plusOne), room.update((n) => n * 10)];
    const host = new Host([...changes], [reply.promise]);
    const served = run.serve(host);
    expect([await outcomeOf(changes[0]!.promise), host.log]).toEqual(["pending", ["release with 20"]]);
    expect(host.writes[0]).toMatchObject({ ifRevision: 7 });
    reply.resolve(released);
    expect(await Promise.all(changes.map(({ promise }) => promise))).toEqual([2, 20]);
    await served;
    expect(host.known).toEqual([{ ...room.stored(20, 8) }]); // the next run may go on from there
    expect(room.backend.sent).toEqual([]); // the state came with the grant
  });

  test("what did not come with the grant is loaded, once; absent is absent", async () => {
    stores(null);
    const change = room.update(plusOne);
    const host = new Host([change]);
    await run.serve(host);
    expect([await change.promise, room.backend.methods]).toEqual([1, ["loadState"]]);
    expect(host.writes[0]).toMatchObject({ ifRevision: "absent" });
  });

  test("a state that cannot be loaded: none was taken", async () => {
    stores(null);
    const failure = new room.modules.UnavailableError("no way", { code: "ACCESS_DENIED" });
    room.backend.answer("loadState", () => Promise.reject(failure));
    const host = new Host([room.update(plusOne)]);
    await expect(run.serve(host)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    expect([host.changes.length, host.log]).toEqual([1, []]);
  });

  test("a function that fails, fails alone", async () => {
    const fails = room.update(() => {
      throw new Error("mine");
    });
    const [before, after] = [room.update(plusOne), room.update(plusOne)];
    const host = new Host([before, fails, after]);
    await run.serve(host);
    await expect(fails.promise).rejects.toThrow("mine");
    expect([await before.promise, await after.promise, host.log]).toEqual([2, 3, ["release with 3"]]);
  });

  describe("[S3] a save that is refused", () => {
    const failing = async (host: Host, ...changes: Change[]): Promise<unknown[]> => {
      host.changes.push(...changes);
      await run.serve(host);
      return Promise.all(changes.map(({ promise }) => promise.catch((error: unknown) => error)));
    };

    test("because the state changed: loaded again, and the same changes are applied to that", async () => {
      room.backend.answer("loadState", () => room.stored(100, 50));
      const fn = vi.fn(plusOne);
      const host = new Host([], [{ status: "conflict", revision: 50 }, released]);
      expect(await failing(host, room.update(fn), room.update(plusOne))).toEqual([101, 102]);
      expect([host.log, fn.mock.calls]).toEqual([
        ["release with 3", "release with 102"],
        [[1], [100]],
      ]);
      expect(host.writes[1]).toMatchObject({ ifRevision: 50 });
    });

    test("again and again: 16 times, then a ConflictError", async () => {
      room.backend.answer("loadState", () => room.stored(100, 50));
      const host = new Host([], [{ status: "conflict", revision: 50 }]);
      const [error] = await failing(host, room.update(plusOne));
      expect(error).toMatchObject({ code: "CONFLICT" });
      expect(host.log).toHaveLength(16);
    });

    test("because the lock is lost: all of them share the answer", async () => {
      const host = new Host([], [{ status: "lost" }]);
      const errors = await failing(host, room.update(plusOne), room.update(plusOne));
      expect(errors).toMatchObject([{ code: "LOCK_LOST" }, { code: "LOCK_LOST" }]);
      expect([errors[0] === errors[1], host.known]).toEqual([true, []]);
    });

    test("because the server has no memory left: the release was made, the save was not", async () => {
      const full = { status: "released", revision: null, failed: "OUT_OF_MEMORY" } as const;
      const [error] = await failing(new Host([], [full]), room.update(plusOne));
      expect(error).toMatchObject({ code: "OUT_OF_MEMORY" });
    });

    test("by too few replicas: all of them share the error", async () => {
      const host = new Host([]);
      host.shortage = new room.modules.UnavailableError("too few", { outcome: "unknown" });
      const errors = await failing(host, room.update(plusOne), room.update(plusOne));
      expect(errors).toEqual([host.shortage, host.shortage]);
    });

    test("by no answer: all of them share the error", async () => {
      const error = new Error("no answer");
      const errors = await failing(new Host([], [error]), room.update(plusOne), room.update(plusOne));
      expect(errors).toEqual([error, error]);
    });

    test("a function that failed on what was never saved shares it, one that failed on what is stored does not", async () => {
      const mine = (): never => {
        throw new Error("mine");
      };
      const changes = [room.update(mine), room.update(plusOne), room.update(mine)];
      const ends = await failing(new Host([], [{ status: "lost" }]), ...changes);
      expect(ends).toMatchObject([{ message: "mine" }, { code: "LOCK_LOST" }, { code: "LOCK_LOST" }]);
    });
  });

  describe("nothing to save", () => {
    const same = (n: number): number => n;

    test("is not saved; the caller is told after the release", async () => {
      const change = room.update(same);
      const host = new Host([change]);
      host.givenUp = new Later<void>();
      const served = run.serve(host);
      expect([await outcomeOf(change.promise), host.log]).toEqual(["pending", ["release unless wanted"]]);
      host.givenUp.resolve();
      await served;
      expect([await change.promise, room.backend.sent]).toEqual([1, []]);
    });

    test("[S1] but a change that came after the load looks again, and is applied to what is there then", async () => {
      vi.advanceTimersByTime(5);
      const fn = vi.fn(same);
      const change = room.update(fn);
      stores([1, 7], [60, 70]);
      hold.leaveKnownState({ loaded: room.stored(1, 7), at: 0 });
      room.backend.answer("loadState", () => room.stored(60, 70));
      const host = new Host([change]);
      await run.serve(host);
      expect([await change.promise, fn.mock.calls]).toEqual([60, [[1], [60]]]);
      expect(room.backend.methods).toEqual(["loadState"]);
    });

    test("[S3] with replicas the release waits for them, too", async () => {
      const change = room.update(same, { replicas: 1, timeoutMs: 5 });
      const host = new Host([change], [{ status: "lost" }]);
      await run.serve(host);
      await expect(change.promise).rejects.toMatchObject({ code: "LOCK_LOST" });
      expect(host.log).toEqual(["release"]);
    });
  });

  describe("a function that takes its time", () => {
    test("does not delay those before it: they are saved under the lock, and answered, while it runs", async () => {
      room.backend.answer("writeState", () => ({ status: "saved", revision: 30 }));
      const slow = new Later<number>();
      const [first, second] = [room.update(plusOne), room.update(() => slow.promise)];
      const host = new Host([first, second]);
      const served = run.serve(host);
      expect([await outcomeOf(first.promise), await outcomeOf(second.promise), host.log]).toEqual([
        2,
        "pending",
        [],
      ]);
      const [[id, write, ticket]] = room.backend.argsOf("writeState") as [[string, StateWrite, string]];
      expect([id, textOf(write), write.ifRevision, ticket]).toEqual(["x", "2", 7, hold.ticket]);
      slow.resolve(9);
      await served;
      expect([await second.promise, host.log, host.writes[0]?.ifRevision]).toEqual([
        9,
        ["release with 9"],
        30,
      ]);
    });

    test("of which the save before it is refused fails with it, at its end", async () => {
      room.backend.answer("writeState", () => ({ status: "lost" }));
      const slow = new Later<number>();
      const [first, second] = [room.update(plusOne), room.update(() => slow.promise)];
      const third = room.update(plusOne);
      const host = new Host([first, second, third]);
      const served = run.serve(host);
      expect(await outcomeOf(first.promise)).toMatchObject({ code: "LOCK_LOST" });
      expect(await outcomeOf(second.promise)).toBe("pending");
      slow.resolve(9);
      await served;
      expect(await outcomeOf(second.promise)).toMatchObject({ code: "LOCK_LOST" });
      expect(host.changes).toEqual([third]); // another ticket may serve it
    });

    test("that is over in the same turn of the event loop costs no save of its own", async () => {
      const changes = [room.update(plusOne), room.update(async (n) => n + 1)];
      const host = new Host([...changes]);
      await run.serve(host);
      expect([host.log, room.backend.sent]).toEqual([["release with 3"], []]);
    });
  });

  describe("[L5] the lock is lost", () => {
    test("before a function is called: it is not, and nothing is released", async () => {
      const fn = vi.fn(plusOne);
      const change = room.update(fn);
      hold.lose("why");
      const host = new Host([change]);
      await run.serve(host);
      await expect(change.promise).rejects.toMatchObject({ code: "LOCK_LOST" });
      expect([fn.mock.calls, host.log]).toEqual([[], []]);
    });

    test("while a function runs: what it made is not saved", async () => {
      const slow = new Later<number>();
      const change = room.update(() => slow.promise);
      const host = new Host([change]);
      const served = run.serve(host);
      await quiet();
      hold.lose("why");
      slow.resolve(5);
      await served;
      await expect(change.promise).rejects.toMatchObject({ code: "LOCK_LOST" });
      expect(host.log).toEqual([]);
    });
  });

  test("[S2] the caller of a save learns the revision: nothing is applied on top of it", async () => {
    const [save, after] = [room.save(5), room.update(plusOne)];
    const host = new Host([save, after]);
    await run.serve(host);
    expect([await save.promise, await outcomeOf(after.promise), host.changes]).toEqual([
      8,
      "pending",
      [after],
    ]);
  });
});
