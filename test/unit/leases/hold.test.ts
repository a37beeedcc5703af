// A lock that a ticket holds: its states, its time, its fences, and those it is lent to.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { StoreOfTickets } from "../../../src/leases/ticket.ts";
import { Sequence } from "../../../src/calls/receipt-sequences.ts";
import { onFakeTimers } from "../support/on-fake-timers.ts";
import type { Hold as HoldType } from "../../../src/leases/hold.ts";

const grant = { fence: 7, fences: 2, leaseMs: 6_400 };

describe("a hold", () => {
  let Hold: typeof HoldType;
  const ticket = {
    id: "x",
    ticket: "t",
    leaseMs: 6_400,
    renews: true,
    share: undefined,
    store: { closing: new AbortController().signal, lookForSleep: () => undefined } as StoreOfTickets,
  };
  const make = (given: Partial<typeof grant> = {}, wanted = false): HoldType => {
    const sequence = new Sequence(0);
    return new Hold({ ...ticket, sequence }, { ...grant, ...given }, { from: performance.now(), wanted });
  };
  const borrower = () => ({ lose: vi.fn<(reason: string | Error) => void>() });

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    await onFakeTimers();
    ({ Hold } = await import("../../../src/leases/hold.ts"));
  });
  afterEach(() => vi.useRealTimers());

  test("[L5] is ours for a little less than its lease, from when it was asked for", () => {
    const hold = make();
    vi.advanceTimersByTime(6_299);
    expect([hold.isLive, hold.state]).toEqual([true, "held"]);
    vi.advanceTimersByTime(1);
    expect([hold.isLive, hold.state]).toEqual([false, "lost"]);
  });

  test("[L5] a renewal counts from when it was sent", () => {
    const hold = make({ leaseMs: 1_000 }); // of a hand-over
    const sentAt = performance.now();
    vi.advanceTimersByTime(900);
    hold.renewed(sentAt);
    expect([hold.until, hold.lease.grantedMs]).toEqual([sentAt + 6_300, 6_400]);
  });

  test("[L3] hands out each reserved fence once", () => {
    const hold = make();
    expect([hold.takeFence(), hold.takeFence(), hold.fencesLeft]).toEqual([7, 8, 0]);
    expect(() => hold.takeFence()).toThrow("HOLDFAST_NO_FENCE");
  });

  test.each([NaN, 2 ** 53, 0.5])("refuses a grant whose fence is %s", (fence) => {
    expect(() => make({ fence })).toThrow(/without a usable fence/);
  });

  test("[L4] tells all that it is lent to, once, when it is lost", () => {
    const hold = make();
    const [a, b, gone] = [borrower(), borrower(), borrower()];
    for (const one of [a, b, gone]) hold.lendTo(one);
    hold.giveBack(gone);
    hold.lose("why");
    hold.lose("again");
    expect([a.lose.mock.calls, b.lose.mock.calls, gone.lose.mock.calls]).toEqual([[["why"]], [["why"]], []]);
    expect(hold.lostFor).toBe("why");
  });

  test("its only borrower, once it has given it back, is not told", () => {
    const hold = make();
    const [one, stranger] = [borrower(), borrower()];
    hold.lendTo(one);
    hold.giveBack(stranger);
    hold.giveBack(one);
    hold.lose("why");
    expect([one.lose.mock.calls, stranger.lose.mock.calls]).toEqual([[], []]);
  });

  test("held → releasing → held: a release that was to write was refused", () => {
    const hold = make();
    hold.markReleasing();
    expect(hold.isLive).toBe(false);
    hold.stillHeld();
    expect(hold.isLive).toBe(true);
  });

  test("releasing → over, with a new hold: the release kept the lock", () => {
    const hold = make();
    hold.countServed();
    hold.leaveKnownState({ loaded: null, at: 0 });
    hold.markReleasing();
    const next = hold.kept({ status: "kept", revision: null, fence: 9, fences: 1 }, performance.now(), false);
    hold.end();
    expect([hold.isOver, next.state, next.takeFence(), next.served]).toEqual([true, "held", 9, 0]);
    expect(next.takeKnownState()).toBeUndefined();
  });

  test("[L2] that others wait is not forgotten where it was told after the release was sent", () => {
    const [before, after] = [make(), make()];
    before.noteWanted();
    for (const hold of [before, after]) hold.markReleasing();
    after.noteWanted();
    const kept = { status: "kept", revision: null, fence: 9, fences: 1 } as const;
    expect(before.kept(kept, 0, false).isWanted).toBe(false);
    expect(after.kept(kept, 0, false).isWanted).toBe(true);
  });

  test.each<[string, (hold: HoldType) => void]>([
    [
      "released twice",
      (hold) => {
        hold.markReleasing();
        hold.markReleasing();
      },
    ],
    ["kept by no release", (hold) => hold.stillHeld()],
    ["settled while it is held", (hold) => hold.end()],
    [
      "released when it is over",
      (hold) => {
        hold.markReleasing();
        hold.end();
        hold.markReleasing();
      },
    ],
  ])("asserts its transitions: %s", (_what, wrong) => {
    expect(() => wrong(make())).toThrow("HOLDFAST_HOLD_TRANSITION");
  });

  test("a known state is given once", () => {
    const hold = make();
    hold.leaveKnownState({ loaded: null, at: 5 });
    expect([hold.takeKnownState(), hold.takeKnownState()]).toEqual([{ loaded: null, at: 5 }, undefined]);
  });
});
