// acquire of a free lock that others wait for: who gets it, and who is passed over; reply by reply, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const list = (reply: Reply): Reply[] => reply as Reply[];

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
    expect(list(await run.acquire(c))).toEqual(["busy", expect.stringContaining(b), expect.any(Number), 0]);
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
