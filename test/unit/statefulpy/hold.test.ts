// A hold of holdfast/statefulpy: until when it may be used, and what becomes of it.

import { expect, test } from "vitest";

import { PlainHold } from "../../../src/statefulpy/locking/hold.ts";
import { OwnerScope } from "../../../src/statefulpy/locking/owner.ts";
import { now } from "../../../src/timers.ts";

function hold(sentAt: number, leaseMs = 1_000): { hold: PlainHold; lost: string[] } {
  const lost: string[] = [];
  const owner = new OwnerScope({});
  const onLost = (of: PlainHold): void => void lost.push(of.lostFor);
  return { hold: new PlainHold({ id: "x", token: "t", leaseMs, sentAt, owner, onLost }), lost };
}

test("ends before the lease that the server has begun after the ask was sent, even if no timer says so", () => {
  const at = now();
  const { hold: live, lost } = hold(at);
  expect(live.until).toBeGreaterThan(at + 900);
  expect(live.until).toBeLessThan(at + 1_000);
  expect(live.isLive).toBe(true);
  live.renewed(at - 2_000);
  expect(live.isLive).toBe(false);
  expect(live.isLost).toBe(true);
  expect(live.lostFor).toMatch(/its lease ended/);
  live.lose("again");
  expect(lost).toHaveLength(1);
});

test("is counted, released once, and not lost after that", () => {
  const { hold: live, lost } = hold(now());
  live.enter();
  expect([live.leave(), live.leave()]).toEqual([false, true]);
  live.markReleasing();
  live.lose("too late");
  expect(live.isLive).toBe(false);
  expect(lost).toEqual([]);
  live.end();
  expect(() => live.markReleasing()).toThrow("HOLDFAST_PLAIN_HOLD_TRANSITION");
});
