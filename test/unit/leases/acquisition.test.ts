// A ticket that asks for a lock: what it was answered, the wake that is kept for it, and how it becomes a hold.

import { describe, expect, test, vi } from "vitest";

import type { Holder } from "../../../src/backends/contract.ts";
import type { StoreOfTickets } from "../../../src/leases/ticket.ts";
import { Sequence } from "../../../src/calls/receipt-sequences.ts";
import { Acquisition } from "../../../src/leases/acquisition.ts";

const holder: Holder = { token: "another", foreign: false };
const grant = { fence: 7, fences: 1, leaseMs: 1_000, waiting: 0 };
const wake = { kind: "granted", id: "x", ticket: "t", ...grant } as const;

const make = (assumeWanted = false): Acquisition =>
  new Acquisition(
    {
      id: "x",
      ticket: "t",
      leaseMs: 1_000,
      renews: true,
      share: undefined,
      sequence: new Sequence(0),
      store: { closing: new AbortController().signal, lookForSleep: () => undefined } as StoreOfTickets,
    },
    assumeWanted,
  );

describe("an acquisition", () => {
  test("[L7] is unknown to the backend until it has asked, and when its only ask was refused", () => {
    const acquisition = make();
    expect(acquisition.isUnknownThere).toBe(true);
    acquisition.asked();
    expect(acquisition.isUnknownThere).toBe(false); // the answer is still to come
    acquisition.answered({ status: "busy", holder, retryInMs: 1, ahead: 2 }, 1);
    expect([acquisition.isUnknownThere, acquisition.holder]).toEqual([true, holder]);
    acquisition.asked();
    expect(acquisition.isUnknownThere).toBe(false);
  });

  test("[L7] is known from when it waits", () => {
    const acquisition = make();
    acquisition.asked();
    acquisition.answered({ status: "waiting", holder, retryInMs: 1, ahead: 0 }, 5);
    expect([acquisition.isUnknownThere, acquisition.waitingSince]).toEqual([false, 5]);
    expect(acquisition.hasAskedAgain).toBe(false);
    acquisition.asked();
    expect(acquisition.hasAskedAgain).toBe(true);
  });

  test("a wake that overtakes the answer is kept, and given once", async () => {
    const acquisition = make();
    acquisition.asked();
    acquisition.wake(wake);
    await acquisition.changed(); // it came before anybody waited
    expect([acquisition.takeWake(), acquisition.takeWake()]).toEqual([wake, undefined]);
  });

  test("tells whoever waits for a change of each, once", async () => {
    const acquisition = make();
    const changed = vi.fn<() => void>();
    const first = acquisition.changed().then(changed);
    acquisition.notify();
    await first;
    expect(changed).toHaveBeenCalledTimes(1);
    void acquisition.changed().then(changed);
    await Promise.resolve();
    expect(changed).toHaveBeenCalledTimes(1);
  });

  test("becomes a hold with the grant, and is over then", () => {
    const acquisition = make();
    const hold = acquisition.granted(grant, performance.now());
    expect([acquisition.isOver, hold.state, hold.ticket, hold.isWanted]).toEqual([true, "held", "t", false]);
    acquisition.wake(wake);
    expect(acquisition.takeWake()).toBeUndefined(); // too late
    expect(() => acquisition.granted(grant, 0)).toThrow("HOLDFAST_ACQUISITION_TRANSITION");
  });

  test.each([
    ["waiters were named with the grant", make(), 1],
    ["others may wait unnoticed", make(true), 0],
  ])("[L2] the hold knows that others wait: %s", (_why, acquisition, waiting) => {
    expect(acquisition.granted({ ...grant, waiting }, performance.now()).isWanted).toBe(true);
  });

  test("a grant that cannot be used leaves it as it was", () => {
    const acquisition = make();
    expect(() => acquisition.granted({ ...grant, fence: NaN }, 0)).toThrow(/usable fence/);
    expect(acquisition.isOver).toBe(false);
    acquisition.end();
    expect(acquisition.isOver).toBe(true);
  });
});
