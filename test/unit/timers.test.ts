// Deadlines, with the clock in our hands; and what keeps a process alive, with the real one.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { onFakeTimers } from "./support/on-fake-timers.ts";
import { Deadlines, KeepAlive, pause } from "../../src/timers.ts";

describe("deadlines", () => {
  let fired: string[];
  let deadlines: Deadlines;
  let timers: number[];
  const now = () => performance.now();

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] });
    fired = [];
    timers = [];
    const { setTimeout: fake } = globalThis;
    vi.stubGlobal("setTimeout", (fire: () => void, ms: number) => {
      timers.push(ms);
      return fake(fire, ms);
    });
    await onFakeTimers();
    deadlines = new (await import("../../src/timers.ts")).Deadlines();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  const set = (name: string, ms: number, from?: number) =>
    deadlines.set(ms, () => fired.push(`${name} at ${String(now())}`), from);

  test("fire once, in order, when they are due and not before", () => {
    set("b", 200);
    set("a", 100);
    set("c", 200);
    vi.advanceTimersByTime(99);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(fired).toEqual(["a at 100", "b at 200", "c at 200"]);
  });

  test("one timer serves many, and setting and clearing touches none", () => {
    set("first", 100);
    for (let n = 0; n < 1_000; n += 1) deadlines.clear(set("never", 100));
    expect(timers).toHaveLength(1);
    vi.advanceTimersByTime(500);
    expect(fired).toEqual(["first at 100"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("what is cleared does not fire, also in the same moment, also twice", () => {
    const later = set("later", 100);
    deadlines.set(50, () => deadlines.clear(later));
    const same = set("same", 50);
    deadlines.clear(same);
    deadlines.clear(same);
    deadlines.clear(undefined);
    vi.advanceTimersByTime(500);
    expect(fired).toEqual([]);
  });

  test("strays: due earlier than one of the same length that was set before", () => {
    set("regular", 100);
    set("stray", 100, now() - 70);
    set("overdue", 100, now() - 500);
    const cleared = set("cleared", 100, now() - 20);
    deadlines.clear(cleared);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual(["overdue at 0"]);
    vi.advanceTimersByTime(500);
    expect(fired).toEqual(["overdue at 0", "stray at 30", "regular at 100"]);
  });

  test("an earlier one of another length is not held up", () => {
    set("long", 10_000);
    vi.advanceTimersByTime(5_000);
    set("short", 10);
    vi.advanceTimersByTime(10);
    expect(fired).toEqual(["short at 5010"]);
    vi.advanceTimersByTime(5_000);
    expect(fired).toEqual(["short at 5010", "long at 10000"]);
  });

  test("one set while others fire is not lost, of any length", () => {
    deadlines.set(100, () => {
      set("same", 100);
      set("shorter", 10);
      set("now", 0);
      set("longer", 1_000);
    });
    set("beside", 100);
    vi.advanceTimersByTime(5_000);
    expect(fired).toEqual(["beside at 100", "now at 100", "shorter at 110", "same at 200", "longer at 1100"]);
  });

  test("[L5] longer than Node's timers can be: in chunks, and exactly then", () => {
    const month = 31 * 86_400_000;
    set("month", month);
    expect(Math.max(...timers)).toBeLessThan(2 ** 31);
    vi.advanceTimersByTime(month - 1);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual([`month at ${String(month)}`]);
    expect(Math.max(...timers)).toBeLessThan(2 ** 31);
    expect(timers.length).toBeLessThan(5);
  });

  test("an infinite one never fires and sets no timer", () => {
    deadlines.clear(set("never", Infinity));
    set("never", Infinity);
    expect(timers).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("clearAll forgets all; they can be set anew", () => {
    set("gone", 10);
    set("gone stray", 10, now() - 5);
    deadlines.clearAll();
    expect(vi.getTimerCount()).toBe(0);
    set("new", 20);
    vi.advanceTimersByTime(100);
    expect(fired).toEqual(["new at 20"]);
  });
});

describe("a deadline whose timer comes late, since the event loop was blocked", () => {
  const late = async (how: { strict: boolean }) => {
    const deadlines = new Deadlines(how);
    const seen: string[] = [];
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [[answering]] = (await Promise.all([once(server, "connection"), once(socket, "connect")])) as [
      [Socket],
      unknown,
    ];
    socket.once("data", () => seen.push("answer"));
    deadlines.set(10, () => seen.push("deadline"));
    answering.end("answer"); // it is in the socket now, and read in the turn of the loop that follows the timers
    for (const end = performance.now() + 100; performance.now() < end;); // blocked
    await vi.waitUntil(() => seen.length === 2);
    server.close();
    return seen;
  };

  test("judges after what has arrived was read", async () => {
    expect(await late({ strict: false })).toEqual(["answer", "deadline"]);
  });

  test("[L5] unless it is a lease's, which has ended whatever came", async () => {
    expect(await late({ strict: true })).toEqual(["deadline", "answer"]);
  });
});

describe("[P1] the process", () => {
  /** Timers that keep this process alive. */
  const alive = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

  test("is kept alive while something is held, and only then", () => {
    const before = alive();
    const keepAlive = new KeepAlive();
    expect(alive()).toBe(before);
    keepAlive.ref();
    keepAlive.ref();
    expect(alive()).toBe(before + 1);
    keepAlive.unref();
    expect(alive()).toBe(before + 1);
    keepAlive.unref();
    expect(alive()).toBe(before);
    keepAlive.ref();
    expect(alive()).toBe(before + 1);
    keepAlive.close();
    expect(alive()).toBe(before);
    keepAlive.unref(); // late, and harmless
    expect(alive()).toBe(before);
  });

  test("is not kept alive by a deadline or a pause", async () => {
    const before = alive();
    const deadlines = new Deadlines();
    deadlines.set(60_000, () => undefined);
    const paused = pause(1);
    expect(alive()).toBe(before);
    await paused;
    deadlines.clearAll();
  });
});
