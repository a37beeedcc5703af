// `maxHoldMs` of one grant and of several: what is told when, and what is left of it after a release.
//
// Seen failing: no second deadline, deadlines kept after the release, nested grants not told, a hold that others share taken
// from all of them.

import { describe, expect, test, vi } from "vitest";

import type { Hold } from "../../../src/leases/hold.ts";
import type * as Grants from "../../../src/ownership/grant.ts";
import type * as Limits from "../../../src/ownership/hold-limit.ts";
import type * as Sets from "../../../src/ownership/grant-set.ts";
import type { Deadline } from "../../../src/timers.ts";
import { outcomeOf, type Room, withRoom } from "../support/rooms.ts";

describe("maxHoldMs", () => {
  let room: Room;
  let hold: Hold;
  let grants: typeof Grants;
  let sets: typeof Sets;
  let limits: typeof Limits;
  withRoom(async (fresh) => {
    room = fresh;
    hold = room.hold();
    grants = await import("../../../src/ownership/grant.ts");
    sets = await import("../../../src/ownership/grant-set.ts");
    limits = await import("../../../src/ownership/hold-limit.ts");
  });

  const make = (of = hold, parent?: Grants.HeldGrant): Grants.HeldGrant => {
    const lender = { onRelease: () => Promise.resolve(true) };
    return new grants.HeldGrant({ hold: of, fence: 100, lender, ...(parent && { parent }) });
  };
  const limit = (held: Limits.Limited, ms: number | undefined = 500): void =>
    limits.limitHold(room.calls.deadlines, held, ms);

  test("[L5] first the signals abort, of nested grants as well; after the grace the hold loses the lock", () => {
    const grant = make();
    const nested = make(hold, grant);
    const [outer, inner] = [grant.signal, nested.signal];
    limit(grant);
    vi.advanceTimersByTime(499);
    expect([outer.aborted, inner.aborted]).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect([outer.aborted, inner.aborted]).toEqual([true, true]);
    expect(outer.reason).toMatchObject({
      code: "LOCK_LOST",
      message:
        'maxHoldMs (500 ms) of the lock "x" (fence 100) is over: finish within 1000 ms, before this grant is given up.',
    });
    expect([grant.isLive, nested.isLive, hold.state]).toEqual([true, true, "held"]);
    expect(make(hold, grant).signal.aborted).toBe(true); // one that comes later
    vi.advanceTimersByTime(999);
    expect(grant.isLive).toBe(true);
    vi.advanceTimersByTime(1);
    expect([grant.isLive, nested.isLive, hold.state]).toEqual([false, false, "lost"]);
    expect(grant.lossError?.message).toMatch(
      /held for longer than maxHoldMs \(500 ms\) and the 1000 ms after it/,
    );
  });

  test("[L7] [P1] nothing is left of it after a release, before or within the grace, or after a loss", async () => {
    const set = vi.spyOn(room.calls.deadlines, "set");
    for (const afterMs of [0, 600]) {
      const grant = make();
      limit(grant);
      const { signal } = grant;
      vi.advanceTimersByTime(afterMs);
      expect(await grant.release()).toBe(true);
      expect([signal.aborted, hold.state]).toEqual([afterMs > 0, "held"]);
    }
    expect(make().signal.aborted).toBe(false);
    const lost = make();
    limit(lost);
    hold.lose("why");
    expect(lost.lossError?.message).toContain("why");
    expect(set.mock.results.map(({ value }) => (value as Deadline).isLinked)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("without the option there is no timer", () => {
    const before = vi.getTimerCount();
    limits.limitHold(room.calls.deadlines, make(), undefined);
    limit(make(), Infinity);
    expect(vi.getTimerCount()).toBe(before);
  });

  test("of a hold that several have borrowed, only this one is taken back", () => {
    const [mine, other] = [make(), make()];
    limit(mine);
    vi.advanceTimersByTime(1_500);
    expect([mine.isLive, other.isLive, hold.state]).toEqual([false, true, "held"]);
    mine.giveUp("again");
    expect(hold.state).toBe("held");
    other.giveUp("the last");
    expect(hold.state).toBe("lost");
  });

  test("[L14] several: all are told, and all are given up; of those that are nested, the outer grant stays", async () => {
    const [y, outer] = [room.hold({}, "y"), make()];
    const nested = make(hold, outer);
    const set = new sets.HeldSet([nested, make(y)]);
    const { signal } = set;
    limit(set);
    vi.advanceTimersByTime(500);
    expect(signal.reason).toMatchObject({
      message: expect.stringContaining('maxHoldMs (500 ms) of the locks "x", "y" is over') as string,
    });
    expect([nested.isLive, outer.signal.aborted]).toEqual([true, false]);
    vi.advanceTimersByTime(1_000);
    expect([nested.isLive, outer.isLive, hold.state, y.state]).toEqual([false, true, "held", "lost"]);
    expect(await outcomeOf(set.release())).toBe(false);
    expect(set.lossError?.message).toMatch(/held for longer than maxHoldMs/);
  });

  test("[L14] several that were released, or lost, have no limit any more", async () => {
    const set = new sets.HeldSet([make(), make(room.hold({}, "y"))]);
    limit(set);
    const { signal } = set;
    expect(await set.release()).toBe(true);
    vi.advanceTimersByTime(5_000);
    expect([signal.aborted, hold.state]).toEqual([false, "held"]);
    set.giveUp("too late");
    expect(set.lossError).toBeUndefined();
  });
});
