// The state table of the watchdog, line by line, with a backend that answers what it is told and the clock in our hands.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import type { RenewEntry } from "../../../src/backends/contract.ts";
import type { BackendCalls } from "../../../src/calls/backend-calls.ts";
import { onFakeTimers } from "../support/on-fake-timers.ts";
import type { Watch, Watchdog, Watched } from "../../../src/leases/watchdog.ts";

type Answer = "renewed" | "lost";

/** Asked to renew, it answers when and what the test says. */
class Scripted extends MemoryBackend {
  readonly asked: {
    readonly at: number;
    readonly tickets: string[];
    readonly answer: (answers: Answer[]) => void;
    readonly fail: () => void;
  }[] = [];

  override renewLocks(entries: readonly RenewEntry[]): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      const tickets = entries.map(({ ticket }) => ticket);
      const fail = (): void => reject(new Error("nobody there"));
      this.asked.push({ at: performance.now(), tickets, answer: resolve, fail });
    });
  }
}

class Ticket implements Watched {
  readonly id: string;
  readonly ticket: string;
  readonly leaseMs: number;
  until: number;
  watch: Watch | undefined;
  readonly told: string[] = [];

  constructor(name: string, leaseMs: number, grantedMs = leaseMs) {
    this.id = name;
    this.ticket = name;
    this.leaseMs = leaseMs;
    this.until = performance.now() + grantedMs;
  }

  watchedBy(watch: Watch | undefined): void {
    this.watch = watch;
  }

  renewed(sentAt: number): void {
    this.until = sentAt + this.leaseMs;
    this.told.push(`renewed from ${String(sentAt)}`);
  }

  lose(reason: string): void {
    this.told.push(`lost at ${String(performance.now())}: ${reason}`);
  }
}

describe("[L5] the watchdog", () => {
  let backend: Scripted;
  let calls: BackendCalls;
  let watchdog: Watchdog;
  const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  const last = () => backend.asked.at(-1)!;
  const watch = (name: string, leaseMs: number, grantedMs?: number): Ticket => {
    const ticket = new Ticket(name, leaseMs, grantedMs);
    watchdog.watch(ticket);
    return ticket;
  };

  beforeEach(async () => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
    });
    await onFakeTimers();
    const [core, lock] = await Promise.all([
      import("../../../src/calls/backend-calls.ts"),
      import("../../../src/leases/watchdog.ts"),
    ]);
    backend = new Scripted();
    calls = new core.BackendCalls(backend, 5_000);
    watchdog = new lock.Watchdog(calls);
  });
  afterEach(() => {
    calls.close();
    vi.useRealTimers();
  });

  test("kept → renewing → kept: renews at about a third of the lease, again and again", async () => {
    const ticket = watch("a", 3_000);
    for (let round = 1; round <= 5; round += 1) {
      while (backend.asked.length < round) await advance(1);
      last().answer(["renewed"]);
      await advance(0);
      expect(ticket.told).toHaveLength(round);
      expect(ticket.until).toBe(last().at + 3_000); // from when it was sent
    }
    const gaps = backend.asked.map(({ at }, n) => at - (backend.asked[n - 1]?.at ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...gaps)).toBeGreaterThan(800);
  });

  test("renewing → lost: the server says so", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    last().answer(["lost"]);
    await advance(10_000);
    expect(ticket.told).toEqual([expect.stringMatching(/^lost at 9\d\d|^lost at 1000/) as string]);
    expect(backend.asked).toHaveLength(1); // no longer watched
  });

  test("renewing → unsure → renewing → kept: an unknown answer is tried again soon", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    last().fail();
    await advance(150); // a twentieth of the lease
    expect(backend.asked).toHaveLength(2);
    expect(ticket.told).toEqual([]);
    last().answer(["renewed"]);
    await advance(0);
    expect(ticket.told).toEqual([`renewed from ${String(last().at)}`]);
  });

  test("no answer at all is unknown after a quarter of the lease; at the local deadline it is lost, exactly once", async () => {
    const ticket = watch("a", 3_000);
    await advance(2_999);
    expect(ticket.told).toEqual([]);
    expect(backend.asked.length).toBeGreaterThanOrEqual(2);
    await advance(1);
    expect(ticket.told).toEqual([expect.stringMatching(/^lost at 3000: no renewal was answered/) as string]);
    const asked = backend.asked.length;
    for (const { answer } of backend.asked) answer(["renewed"]); // too late
    await advance(10_000);
    expect(ticket.told).toHaveLength(1);
    expect(backend.asked).toHaveLength(asked);
  });

  test("unsure → kept: answers that come late count, each from when it was sent, and in any order", async () => {
    const ticket = watch("a", 3_000);
    await advance(2_000); // the first renewal got no answer in time, and was sent again
    const [first, second] = backend.asked;
    second!.answer(["renewed"]);
    await advance(0);
    first!.answer(["renewed"]);
    await advance(0);
    expect(ticket.told).toEqual([`renewed from ${String(second!.at)}`]);
    expect(ticket.until).toBe(second!.at + 3_000);
  });

  test("a way so slow that every answer is late keeps the lease, by the answers of earlier tries", async () => {
    const ticket = watch("a", 3_000);
    const waiting = [...backend.asked];
    for (let ms = 0; ms < 30_000; ms += 10) {
      await advance(10);
      waiting.push(...backend.asked.slice(waiting.length));
      for (const asked of waiting) if (performance.now() - asked.at >= 1_200) asked.answer(["renewed"]);
    }
    expect(ticket.told.filter((told) => told.startsWith("lost"))).toEqual([]);
    expect(backend.asked.length).toBeLessThan(60); // a try each half second, at most
  });

  test("a late answer that says lost, is", async () => {
    const ticket = watch("a", 3_000);
    await advance(2_000);
    backend.asked[0]!.answer(["renewed"]);
    backend.asked[1]!.answer(["lost"]);
    await advance(0);
    expect(ticket.told.at(-1)).toMatch(/^lost at 2000/);
  });

  test("many are renewed in parts, and each part's answers count", async () => {
    const tickets = Array.from({ length: 1_200 }, (_, n) => watch(`t${String(n)}`, 3_000));
    await advance(1_000);
    expect(backend.asked.map(({ tickets: some }) => some.length)).toEqual([500, 500, 200]);
    backend.asked[1]!.answer(Array.from({ length: 500 }, () => "renewed"));
    await advance(0);
    expect(tickets.filter(({ told }) => told.length > 0)).toEqual(tickets.slice(500, 1_000));
  });

  test("unsure → lost at the local deadline, one lease after the last renewal that succeeded was sent", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    const sentAt = last().at;
    await advance(500); // a slow answer
    last().answer(["renewed"]);
    await advance(0);
    expect(ticket.until).toBe(sentAt + 3_000);
    for (let n = 0; n < 200 && ticket.told.length < 2; n += 1) {
      const before = backend.asked.length;
      await advance(20);
      if (backend.asked.length > before) last().fail();
    }
    const lostAt = Number(/^lost at (\d+)/.exec(ticket.told[1] ?? "")?.[1]);
    expect(lostAt).toBeLessThanOrEqual(sentAt + 3_000);
    expect(lostAt).toBeGreaterThan(sentAt + 2_900);
  });

  test("a renewal is never repeated in a busy loop, however short the lease", async () => {
    watch("a", 100);
    for (let ms = 0; ms < 100; ms += 1) {
      await advance(1);
      for (const { fail } of backend.asked) fail();
    }
    expect(backend.asked.length).toBeLessThanOrEqual(8);
  });

  test("the event loop was blocked beyond the lease: lost, and nothing is sent any more", async () => {
    const ticket = watch("a", 300);
    Object.assign(ticket, { until: performance.now() }); // the timer comes that late
    await advance(100);
    expect(ticket.told).toEqual([expect.stringMatching(/blocked/) as string]);
    expect(backend.asked).toEqual([]);
  });

  test("two tries are unsure when their answers come, one after the other: valid each time, and renewed again", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    while (backend.asked.length < 2) await advance(10);
    await advance(760); // none of them was answered in time
    const [first, second] = backend.asked;
    for (const sent of [first, second]) {
      sent!.answer(["renewed"]);
      await advance(0);
    }
    expect(ticket.told).toEqual([first, second].map((sent) => `renewed from ${String(sent!.at)}`));
    expect(ticket.watch?.state).toBe("valid");
    const before = backend.asked.length;
    await advance(1_100);
    expect(backend.asked.length).toBeGreaterThan(before);
  });

  test("[L6] unwatched: no more renewals, and the answer under way is ignored", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    watchdog.unwatch(ticket);
    last().answer(["lost"]);
    await advance(10_000);
    expect(ticket.told).toEqual([]);
    expect(backend.asked).toHaveLength(1);
    watchdog.unwatch(ticket); // twice is once
  });

  test("[L6] unwatched and watched again while a renewal is under way: its answer is not the new one's", async () => {
    const ticket = watch("a", 3_000);
    await advance(1_000);
    const old = last();
    watchdog.unwatch(ticket);
    ticket.until = performance.now() + 3_000;
    watchdog.watch(ticket);
    old.answer(["lost"]);
    await advance(500);
    expect(ticket.told).toEqual([]);
    await advance(500);
    expect(backend.asked).toHaveLength(2);
  });

  test("a hand-over grant, shorter than the lease, is renewed in time", async () => {
    const ticket = watch("a", 30_000, 600);
    await advance(200);
    expect(backend.asked).toHaveLength(1);
    last().answer(["renewed"]);
    await advance(0);
    expect(ticket.until).toBe(last().at + 30_000);
  });

  test("all that are due go out in one call, and each has its own answer", async () => {
    const tickets = ["a", "b", "c"].map((name) => watch(name, 3_000));
    await advance(10);
    tickets.push(watch("d", 3_000));
    await advance(990);
    expect(backend.asked.map(({ tickets: sent }) => sent)).toEqual([["a", "b", "c", "d"]]);
    last().answer(["renewed", "lost", "renewed", "renewed"]);
    await advance(0);
    const words = tickets.map(({ told }) => told[0]?.split(" ")[0]);
    expect(words).toEqual(["renewed", "lost", "renewed", "renewed"]);
  });

  test("a backend that answers too few leaves the others unknown, not lost", async () => {
    const [a, b] = [watch("a", 3_000), watch("b", 3_000)];
    await advance(1_000);
    last().answer(["renewed"]);
    await advance(0);
    expect([a.told.length, b.told.length]).toEqual([1, 0]);
    await advance(150);
    expect(last().tickets).toEqual(["b"]);
  });
});
