// One change under a grant that its caller holds already: written under the ticket, and the lock is not given back.

import { describe, expect, test, vi } from "vitest";

import type { HeldGrant } from "../../../src/ownership/grant.ts";
import type { BatchRun } from "../../../src/updates/batch-run.ts";
import { Later, outcomeOf, quiet, type Room, withRoom } from "../support/rooms.ts";

describe("a change under a grant that its caller holds", () => {
  let room: Room;
  let run: BatchRun;
  let again: () => BatchRun;
  let makeGrant: () => HeldGrant;
  withRoom(async (fresh) => {
    room = fresh;
    const { BatchRun } = await import("../../../src/updates/batch-run.ts");
    const { HeldGrant } = await import("../../../src/ownership/grant.ts");
    const hold = room.hold({ state: room.stored(1, 7) });
    again = () => {
      hold.leaveKnownState({ loaded: room.stored(1, 7), at: performance.now() });
      return new BatchRun(room.calls, hold);
    };
    run = again();
    const lender = { onRelease: () => Promise.resolve(true) };
    makeGrant = () => new HeldGrant({ hold, fence: hold.takeFence(), lender });
  });
  const plusOne = (n: number): number => n + 1;

  test("[S4] is written under the ticket, and the lock is not given back", async () => {
    room.backend.answer("writeState", () => ({ status: "saved", revision: 30 }));
    const grant = makeGrant();
    const change = room.update(plusOne);
    await run.serveUnder(grant, change);
    expect([await change.promise, grant.isLive, room.backend.methods]).toEqual([2, true, ["writeState"]]);
  });

  test("[S4] the release of the grant waits for the answer", async () => {
    const reply = new Later<unknown>();
    room.backend.answer("writeState", () => reply.promise);
    const grant = makeGrant();
    const change = room.update(plusOne);
    const served = run.serveUnder(grant, change);
    await quiet();
    const releasing = grant.release();
    expect(await outcomeOf(releasing)).toBe("pending");
    reply.resolve({ status: "saved", revision: 30 });
    expect([await releasing, await change.promise]).toEqual([true, 2]);
    await served;
  });

  test("a function that changes nothing, or fails, asks nothing of the backend", async () => {
    const fails = room.update(() => {
      throw new Error("mine");
    });
    await run.serveUnder(makeGrant(), fails);
    await expect(fails.promise).rejects.toThrow("mine");
    run = again();
    vi.advanceTimersByTime(5); // it comes after the state was loaded
    const same = room.update((n) => n);
    await run.serveUnder(makeGrant(), same);
    expect([await same.promise, room.backend.methods]).toEqual([1, []]);
  });

  test("[S4] once the grant has ended nothing is applied", async () => {
    const grant = makeGrant();
    await grant.release();
    const change = room.update(plusOne);
    await run.serveUnder(grant, change);
    await expect(change.promise).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(room.backend.methods).toEqual([]);
  });
});
