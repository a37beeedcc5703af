// acquire, of a free lock and of one that is held: reply by reply, on a real server.

import { describe, expect, test } from "vitest";

import { endOfStamps } from "../../../../src/backends/redis/protocol/stamp-range.ts";
import * as at from "./script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

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
    expect(reply).toEqual(["busy", `${a} ${String(fence)}`, expect.any(Number), 0]);
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
      "busy",
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
      expect(held).toEqual(["busy", token, expect.any(Number), 0]);
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
