// acquire, by a free lock and by one with a queue: reply by reply, on a real server.

import { describe, expect, test } from "vitest";

import { endOfStamps } from "../../../../src/backends/redis/protocol/stamp-range.ts";
import * as at from "./script-runner.ts";
import { A, B, C, type ScriptRunner, ticketOf, withScripts, type Reply } from "./script-runner.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];
const past2090 = 3_800_000_000_000_000;
/** Numbers that leave no room above them: the first two fences after the first of them would be none. */
const notStamps = [endOfStamps - 1, endOfStamps, 2 ** 52 - 2, 2 ** 52, 2 ** 53 - 1];

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const list = (reply: Reply): Reply[] => reply as Reply[];
/** The fence of a grant, in whichever shape it came. */
const fenceOf = (reply: Reply): number =>
  Number(Array.isArray(reply) ? reply[reply[0] === "granted" ? 1 : 0] : reply);
describe("acquire", () => {
  test("[L1] [L3] a free lock is granted, with a lease and a fence", async () => {
    const before = await run.now();
    const fence = Number(await run.acquire(a, { leaseMs: 5_000 }));
    expect(fence).toBeGreaterThan(before);
    expect(await run.command("GET", at.lockKey)).toBe(`${a} ${String(fence)}`);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(4_900);
    expect(await run.command("GET", at.stampKey)).toBe(String(fence));
    expect(Object.keys(await run.everything())).toEqual([at.lockKey, at.stampKey]);
  });

  test("[L3] fences rise across release, expiry, DEL and another id", async () => {
    const fences: number[] = [];
    for (let turn = 1; turn <= 5; turn += 1) {
      fences.push(Number(await run.acquire(ticketOf(A, turn), { fences: 64 })));
      if (turn % 2 === 0) await run.release(ticketOf(A, turn));
      else await run.expire();
      fences.push(Number(await run.acquire(ticketOf(B, turn), { id: "y" })));
      await run.expire("y");
    }
    for (let turn = 1; turn < 10; turn += 1) {
      expect(fences[turn]).toBeGreaterThan((fences[turn - 1] ?? 0) + (turn % 2 === 1 ? 63 : 0));
    }
  });

  test("[L3] several fences are reserved at once", async () => {
    const first = Number(await run.acquire(a, { fences: 64 }));
    expect(await run.command("GET", at.lockKey)).toBe(`${a} ${String(first)} ${String(first + 63)}`);
    expect(await run.command("GET", at.stampKey)).toBe(String(first + 63));
  });

  test("[L3] a clock that was set back: the last stamp is the floor", async () => {
    await run.command("SET", at.stampKey, String(past2090));
    expect(await run.acquire(a, { fences: 3 })).toBe(past2090 + 1);
    expect(await run.command("GET", at.stampKey)).toBe(String(past2090 + 3));
  });

  test("[L3] a stamp that was lost or rolled back: what the client saw is the floor", async () => {
    expect(await run.acquire(a, { seen: past2090 })).toBe(past2090 + 1);
  });

  test.each([...notStamps.map(String), "", "abc", "9e18", "-5", "1.5", "nan"])(
    "[L3] a stamp that is none (%j) is replaced by time",
    async (stamp) => {
      await run.command("SET", at.stampKey, stamp);
      const before = await run.now();
      const fence = Number(await run.acquire(a));
      expect(fence).toBeGreaterThan(before);
      expect(fence).toBeLessThan(before + 1e7);
      expect(await run.command("GET", at.stampKey)).toBe(String(fence));
    },
  );

  test.each(notStamps)("[L3] what a client saw and is no stamp (%d) lifts nothing", async (seen) => {
    const before = await run.now();
    const fence = Number(await run.acquire(a, { seen, fences: 64 }));
    expect(fence).toBeGreaterThan(before);
    expect(fence).toBeLessThan(before + 1e7);
  });

  test("[L3] every fence is below the end of stamps, however near they are", async () => {
    await run.command("SET", at.stampKey, String(endOfStamps - 12));
    expect(await run.acquire(a, { fences: 10 })).toBe(endOfStamps - 11);
    expect(await run.command("GET", at.stampKey)).toBe(String(endOfStamps - 2));
    expect(Number(await run.acquire(b, { id: "y", fences: 10 }))).toBeLessThan((await run.now()) + 1e7);
  });

  test("[S5] the holder that asks again gets the same grant and its full lease", async () => {
    const fence = Number(await run.acquire(a, { leaseMs: 1_000, fences: 2 }));
    expect(await run.acquire(a, { leaseMs: 9_000, fences: 5 })).toEqual(["granted", fence, 2, 9_000, 0]);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(8_900);
  });

  test("[S1] the state comes along when it is asked for", async () => {
    expect(list(await run.acquire(a, { wish: "s" }))).toEqual([expect.any(Number), null]);
    await run.commit(a, { bytes: "hello" });
    const stored = await run.command("GET", at.stateKey);
    const fence = fenceOf(await run.acquire(ticketOf(A, 2), { wish: "s" }));
    expect(await run.acquire(ticketOf(A, 2), { wish: "s" })).toEqual([
      "granted",
      fence,
      1,
      30_000,
      0,
      stored,
    ]);
  });

  test("[S6] what is no string is reported as what it is, and the lock is granted", async () => {
    await run.command("RPUSH", at.stateKey, "x");
    const granted = list(await run.acquire(a, { wish: "s" }));
    expect(granted).toEqual([expect.any(Number), null, "list"]);
    const again = await run.acquire(a, { wish: "s" });
    expect(again).toEqual(["granted", granted[0], 1, 30_000, 0, null, "list"]);
  });

  test("[L1] a held lock is not granted; who does not queue leaves nothing behind", async () => {
    const fence = Number(await run.acquire(a));
    const reply = list(await run.acquire(b));
    expect(reply).toEqual(["held", `${a} ${String(fence)}`, expect.any(Number), 0]);
    expect(Number(reply[2])).toBeGreaterThan(29_000);
    expect(Object.keys(await run.everything())).toEqual([at.lockKey, at.stampKey]);
  });

  test("[L2] [L8] who queues has a place, and the holder is told once", async () => {
    await run.acquire(a);
    const heard = await run.listen(A, B);
    expect(list(await run.acquire(b, { wish: "q" }))).toEqual([
      "waiting",
      expect.any(String),
      expect.any(Number),
      0,
    ]);
    expect(list(await run.acquire(c, { wish: "q" }))).toEqual([
      "waiting",
      expect.any(String),
      expect.any(Number),
      1,
    ]);
    expect(list(await run.acquire(b, { wish: "q" }))[3]).toBe(0);
    expect(list(await run.acquire(ticketOf(C, 9)))).toEqual([
      "held",
      expect.any(String),
      expect.any(Number),
      2,
    ]);
    await run.settle();
    expect(heard).toEqual([`wanted ${a} x`]);
    expect(await run.waiting()).toEqual([b, c]);
    for (const key of [at.queueKey, at.asksKey])
      expect(Number(await run.command("PTTL", key))).toBeGreaterThan(29_000);
  });

  test("[L2] an ask is as the waiter last asked, and its place as it first did", async () => {
    await run.acquire(a);
    await run.listen(B);
    await run.acquire(b, { wish: "q" });
    const before = String(await run.command("HGET", at.asksKey, b)).split(" ");
    await run.acquire(c, { wish: "q" });
    await run.acquire(b, { wish: "sp", leaseMs: 700, fences: 9 }); // without "q": it stays all the same
    const after = String(await run.command("HGET", at.asksKey, b)).split(" ");
    expect(after.slice(1)).toEqual(["700", "sp", "9", before[4]]);
    expect(Number(after[0])).toBeGreaterThan(Number(before[0]));
    expect(await run.waiting()).toEqual([b, c]);
  });

  test("[S5] a ticket that was released or cancelled is settled", async () => {
    await run.acquire(a);
    await run.release(a);
    const before = await run.everythingButStamp();
    expect(await run.acquire(a, { wish: "qs" })).toBe("settled");
    expect(await run.acquire(a, { n: 0 })).toBe("settled");
    expect(await run.everythingButStamp()).toEqual(before);
    await run.cancel(b);
    expect(await run.acquire(b, { wish: "q" })).toBe("settled");
    expect(await run.acquire(ticketOf(A, 7), { slot: 1, n: 2 })).toBeTypeOf("number");
  });

  test.each(["token", "", "two words", "1 2 3", a, `${a} 12x`, "\u0000\u00ff", "x".repeat(5_000)])(
    "[L11] a foreign token (%j) excludes us and is left as it is",
    async (token) => {
      await run.command("SET", at.lockKey, token, "NX", "PX", "20000");
      const held = list(await run.acquire(b));
      expect(held).toEqual(["held", token, expect.any(Number), 0]);
      expect(list(await run.acquire(b, { wish: "q" }))[0]).toBe("waiting");
      expect(await run.release(b)).toBe("lost");
      expect(await run.renew(b)).toBe(0);
      expect(await run.command("GET", at.lockKey)).toBe(token);
      await run.command("PERSIST", at.lockKey);
      expect(list(await run.acquire(b))[2]).toBe(-1);
      await run.expire();
      expect(list(await run.acquire(b))[0]).toBe("granted");
    },
  );

  test("a full server refuses, and nothing is written", async () => {
    await run.acquire(a, { id: "y" });
    const before = await run.everything();
    await run.fill();
    await expect(run.acquire(b)).rejects.toThrow(/OOM/);
    await expect(run.acquire(b, { id: "y", wish: "q" })).rejects.toThrow(/OOM/);
    expect(await run.everything()).toEqual(before);
  });
});

describe("a free lock with a queue", () => {
  /** A holds, the others wait, A dies. */
  async function orphaned(...waiters: [ticket: string, wish: string][]): Promise<void> {
    await run.acquire(a);
    for (const [ticket, wish] of waiters) await run.acquire(ticket, { wish });
    await run.expire();
  }

  test("[L2] [L10] goes to the first waiter, whoever asks", async () => {
    await orphaned([b, "q"], [c, "q"]);
    const heard = await run.listen(B);
    const reply = list(await run.acquire(c, { wish: "q" }));
    await run.settle();
    const [, , fence] = (heard[0] ?? "").split(" ");
    expect(heard).toEqual([`granted ${b} ${String(fence)} 1 10000 1 - x\n`]);
    expect(reply).toEqual(["waiting", `${b} ${String(fence)}`, expect.any(Number), 0]);
    expect(Number(reply[2])).toBeGreaterThan(9_900);
  });

  test("[L10] the first waiter that asks has it, with its full lease, and waits no more", async () => {
    await orphaned([b, "q"], [c, "q"]);
    const reply = list(await run.acquire(b, { wish: "q", leaseMs: 20_000 }));
    expect(reply).toEqual(["granted", expect.any(Number), 1, 20_000, 1]);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(19_900);
    expect(await run.waiting()).toEqual([c]);
    expect(await run.command("HKEYS", at.asksKey)).toEqual([c]);
  });

  test("[L2] a newcomer that does not queue does not overtake", async () => {
    await orphaned([b, "q"]);
    expect(list(await run.acquire(c))).toEqual(["held", expect.stringContaining(b), expect.any(Number), 0]);
  });

  test("[L9] who has not asked for 12 s is removed, however many there are", async () => {
    const dead = Array.from({ length: 50 }, (_, n): [string, string] => [ticketOf(B, n), "q"]);
    await orphaned(...dead);
    for (const [ticket] of dead) await run.age(ticket, 12.1);
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
  });

  test("[L2] who asked within 12 s keeps its place", async () => {
    await orphaned([b, "q"], [c, "q"]);
    await run.age(b, 11.5);
    expect(list(await run.acquire(c, { wish: "q" }))[1]).toContain(b);
  });

  test("[L9] who listens for wakes but does not receive its own is passed over, and keeps its place", async () => {
    const heard = await run.listen(B, C);
    await orphaned([b, "qp"], [c, "qp"]);
    await run.unlisten(B);
    const reply = list(await run.acquire(ticketOf(A, 2), { wish: "q" }));
    await run.settle();
    expect(reply[1]).toContain(c);
    expect(heard[0]).toContain(`granted ${c} `);
    expect(list(await run.acquire(b, { wish: "qp" }))).toEqual([
      "waiting",
      expect.any(String),
      expect.any(Number),
      0,
      0,
    ]);
    expect(await run.waiting()).toEqual([b, ticketOf(A, 2)]);
  });

  test("[L9] who does not confirm a hand-over is passed over at the next one, and keeps its place", async () => {
    await orphaned([b, "q"], [c, "q"]);
    expect(list(await run.acquire(c, { wish: "q" }))[1]).toContain(b);
    await run.expire();
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    expect(list(await run.acquire(b, { wish: "q" }))[3]).toBe(0);
    const heard = await run.listen(B);
    await run.release(c);
    await run.settle();
    expect(heard[0]).toContain(`granted ${b} `);
  });

  test("[L9] a walk is bounded, meets nobody twice, and the next ask goes on", async () => {
    await run.acquire(a);
    const now = await run.now();
    const members: string[] = [];
    const fields: string[] = [];
    for (let n = 0; n < 2_500; n += 1) {
      members.push(String(now - 1e7 + n), ticketOf(B, n));
      fields.push(ticketOf(B, n), `${String(now - (n % 2) * 2e7)} 30000 qp 1 ${String(now - 1e7 + n)}`);
    }
    await run.command("ZADD", at.queueKey, ...members);
    await run.command("HSET", at.asksKey, ...fields);
    await run.expire();
    expect(list(await run.acquire(c, { wish: "q" })).slice(0, 4)).toEqual([
      "waiting",
      expect.any(String),
      1,
      0,
    ]);
    expect(list(await run.waiting())).toHaveLength(1_501);
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("waiting");
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    expect(await run.waiting()).toEqual([]);
    // Of those, half had asked: they are parked, and whoever joins clears two of them once they are gone for good.
    const parked = Number(await run.command("ZCARD", at.queueKey));
    expect(parked).toBe(1_250);
    for (const [ticket] of [[ticketOf(B, 0)], [ticketOf(B, 2)]] as const) {
      await run.command("ZADD", at.queueKey, String(2 ** 52 + now - 2e7), ticket);
    }
    await run.acquire(ticketOf(A, 5), { wish: "q" });
    expect(await run.command("ZCARD", at.queueKey)).toBe(parked - 1);
    expect(await run.command("HEXISTS", at.asksKey, ticketOf(B, 0))).toBe(0);
  });
});
