// Locks that many tickets hold: what the scripts reply, store and send, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "../script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "../script-arguments.ts";
import { type ScriptRunner, withScripts } from "../script-runner.ts";
import { ShareScripts } from "./share-scripts.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];
const [a2, b2, c2] = [ticketOf(A, 2), ticketOf(B, 2), ticketOf(C, 2)];

let run: ScriptRunner;
let shares: ShareScripts;
withScripts((runner) => {
  run = runner;
  shares = new ShareScripts(runner);
});

const list = (reply: Reply): Reply[] => reply as Reply[];
const times: unknown = expect.any(Number);

describe("[L12] shared", () => {
  test("[L3] a free lock is shared: marker, holders and leases; the last one leaves nothing behind", async () => {
    const first = Number(await shares.ask(a, { leaseMs: 5_000 }));
    const second = Number(await shares.ask(b, { leaseMs: 9_000, fences: 3 }));
    expect(second).toBeGreaterThan(first);
    expect(await run.command("GET", at.lockKey)).toBe(`shared ${String(first)}`);
    for (const key of [at.lockKey, at.sharingKey]) {
      expect(Number(await run.command("PTTL", key))).toBeGreaterThan(8_000);
      expect(Number(await run.command("PTTL", key))).toBeLessThanOrEqual(9_000);
    }
    expect(await run.release(a)).toBe("released");
    expect(await shares.holders()).toEqual([b]);
    expect(await run.release(a)).toBe("released"); // the receipt
    expect(await run.release(b)).toBe("released");
    expect(Object.keys(await run.everything())).toEqual([at.doneKey(A), at.doneKey(B), at.stampKey]);
  });

  test("an exclusive ask waits for all, and is told the holder whose lease ends first", async () => {
    await shares.ask(a, { leaseMs: 20_000 });
    const fence = Number(await shares.ask(b, { leaseMs: 10_000 }));
    const reply = list(await run.acquire(c, { wish: "q" }));
    expect(reply).toEqual(["waiting", `${b} ${String(fence)}`, times, 0, -1, 2]);
    expect(Number(reply[2])).toBeGreaterThan(9_000);
    await run.renew(b, 30_000);
    expect(list(await run.acquire(c, { wish: "q" }))[1]).toContain(a);
    await run.release(b);
    expect(list(await run.acquire(c2)).slice(0, 2)).toEqual(["busy", expect.stringContaining(a)]);
    await run.release(a);
    expect(await run.command("GET", at.lockKey)).toContain(c);
  });

  test("[L2] a shared ask does not overtake an exclusive one, and those behind it are served together", async () => {
    await shares.ask(a);
    await run.acquire(b, { wish: "q" });
    const heard = await run.listen(A, B, C);
    expect(list(await shares.ask(c))[0]).toBe("busy");
    expect(list(await shares.ask(c, { wish: "qr1" })).slice(0, 4)).toEqual([
      "waiting",
      expect.any(String),
      times,
      1,
    ]);
    expect(list(await shares.ask(a2, { wish: "qr1" }))[3]).toBe(2);
    await run.acquire(b2, { wish: "q" });
    await run.release(a);
    expect(await run.command("GET", at.lockKey)).toContain(b);
    await run.renew(b);
    await run.release(b);
    expect(await shares.holders()).toEqual([c, a2]);
    await run.settle();
    expect(heard.map((message) => message.replace(/ \d{16} .*/s, ""))).toEqual([
      `granted ${b}`,
      `granted ${c}`,
      `granted ${a2}`,
    ]);
    // Each is told how many wait behind all that were served.
    expect(heard.slice(1).map((message) => message.split(" ")[5])).toEqual(["1", "1"]);
    expect(await run.waiting()).toEqual([b2]);
  });

  test("[L2] [L7] an exclusive waiter that gives up lets those behind it in", async () => {
    await shares.ask(a);
    await run.acquire(b, { wish: "q" });
    await shares.ask(c, { wish: "qr1" });
    expect(await run.cancel(b)).toBe("cancelled");
    expect(await shares.holders()).toEqual([a, c]);
  });

  test("[L8] the holders are told once that an exclusive ask waits, each by its ticket", async () => {
    await shares.ask(a);
    await shares.ask(b);
    const heard = await run.listen(A, B, C);
    await run.acquire(c, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    await run.acquire(c2, { wish: "q" });
    await run.settle();
    expect(heard.sort()).toEqual([`wanted ${a} x`, `wanted ${b} x`]);
  });

  test("[L8] who was handed a share in the same step is not told again", async () => {
    await shares.ask(a);
    await run.acquire(b, { wish: "q" });
    await shares.ask(c, { wish: "qr1" });
    await run.age(b, 12.1);
    const heard = await run.listen(A, B, C);
    await run.acquire(b2, { wish: "q" });
    await run.settle();
    expect(heard.map((message) => message.split(" ").slice(0, 2).join(" ")).sort()).toEqual([
      `granted ${c}`,
      `wanted ${a}`,
    ]);
  });

  test("[L9] a hand-over of a share is short, and confirmed by an ask, a renewal or a check of its holder", async () => {
    const confirm = (ticket: string): Promise<Reply> =>
      run.run("confirm", [at.doneKey(A)], ["t:", "10000", JSON.stringify([["x", ticket, "30000", "", ""]])]);
    const ways = [() => shares.ask(b, { wish: "qr1" }), () => run.renew(b), () => confirm(b)];
    for (const [turn, way] of ways.entries()) {
      await run.acquire(a, { n: 2 * turn + 1 });
      await shares.ask(b, { wish: "qr1", n: 2 * turn + 1 });
      await run.release(a, { n: 2 * turn + 1 });
      expect(Number(await run.command("PTTL", at.lockKey))).toBeLessThanOrEqual(10_000);
      expect(await run.command("ZCARD", at.queueKey)).toBe(1);
      await way();
      expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(25_000);
      expect(Number(await run.command("PTTL", at.sharingKey))).toBeGreaterThan(25_000);
      expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
      await run.release(b, { n: 2 * turn + 1 });
    }
  });

  test("[L9] who listens for wakes but is not there is passed over, and the next one gets the share", async () => {
    const heard = await run.listen(B, C);
    await run.acquire(a);
    await shares.ask(b, { wish: "qpr1" });
    await shares.ask(c, { wish: "qpr1" });
    await run.unlisten(B);
    await run.release(a);
    expect(await shares.holders()).toEqual([c]);
    await run.settle();
    expect(heard).toHaveLength(1);
    expect(list(await shares.ask(b, { wish: "qpr1" }))[0]).toBe("granted");
  });

  test("[L5] [S5] the holder that asks again gets the same share, and its full lease", async () => {
    const fence = Number(await shares.ask(a, { leaseMs: 1_000, fences: 2 }));
    await run.acquire(b, { wish: "q" });
    expect(await shares.ask(a, { leaseMs: 9_000, fences: 5 })).toEqual(["granted", fence, 2, 9_000, 1]);
    expect(await shares.holders()).toEqual([a]);
  });

  test("[S5] a ticket that was released or cancelled is settled", async () => {
    await shares.ask(a);
    await shares.ask(b);
    await run.release(a);
    expect(await run.cancel(b)).toBe("released");
    const before = await run.everythingButStamp();
    expect(await shares.ask(a)).toBe("settled");
    expect(await shares.ask(b)).toBe("settled");
    expect(await run.everythingButStamp()).toEqual(before);
  });

  test("[S1] the state comes along when it is asked for", async () => {
    expect(await shares.ask(a, { wish: "sr1" })).toEqual([times, null]);
    await run.command("SET", at.stateKey, "stored");
    expect(await shares.ask(b, { wish: "sr1" })).toEqual([times, "stored"]);
  });

  test("[S4] [S8] nobody writes while readers hold: not without a ticket, nor under a share", async () => {
    await shares.ask(a);
    expect(await run.write(b, { free: true })).toBe("busy");
    expect(await run.write(a)).toBe("lost");
    expect(await run.commit(a)).toBe("lost");
    expect(await run.command("EXISTS", at.stateKey)).toBe(0);
    expect(await shares.holders()).toEqual([a]);
    expect(await run.commit(a, { kind: "none", keepFor: [1_000, 1] })).toBe("released -");
    expect(await run.command("EXISTS", at.lockKey, at.sharingKey)).toBe(0);
    expect(await run.write(b, { free: true, n: 2 })).toContain("saved ");
  });

  test("[L6] force ends exactly that share, tells its holder, and serves the queue", async () => {
    const fence = Number(await shares.ask(a, { fences: 2 }));
    await shares.ask(b);
    await run.acquire(c, { wish: "q" });
    const heard = await run.listen(A, B, C);
    const by = ticketOf(C, 50);
    expect(await run.force(a, { by, ifFence: fence + 2 })).toBe("lost");
    expect(await run.force(c, { by, n: 2 })).toBe("lost");
    expect(await run.force(a, { by, n: 3, ifFence: fence + 1 })).toBe("released");
    expect(await shares.holders()).toEqual([b]);
    expect(await run.force(`shared ${String(fence)}`, { by, n: 4 })).toBe("lost");
    expect(await run.force(b, { by, n: 5 })).toBe("released");
    await run.settle();
    expect(heard.map((message) => message.replace(/ \d{16} .*/s, ""))).toEqual([
      `forced ${a} x`,
      `forced ${b} x`,
      `granted ${c}`,
    ]);
    expect(await run.release(a)).toBe("lost");
  });

  test("inspect names all holders, and who waits", async () => {
    const first = Number(await shares.ask(a, { leaseMs: 5_000 }));
    const second = Number(await shares.ask(b, { leaseMs: 9_000, fences: 2 }));
    await run.acquire(c, { wish: "q" });
    const reply = list(await shares.inspect());
    expect(reply.slice(0, 4)).toEqual([-1, -1, 1, a]);
    expect(reply[4]).toMatch(new RegExp(`^\\d{7} ${first} ${first} 1$`));
    expect(reply[5]).toBe(b);
    expect(reply[6]).toMatch(new RegExp(`^\\d{7} ${second} ${second + 1} 1$`));
  });

  test("[L1] a ticket that begins like a holder's is another one", async () => {
    await shares.ask(ticketOf(A, 12));
    expect(await run.release(a)).toBe("lost");
    expect(await run.renew(a)).toBe(0);
    expect(await run.cancel(a)).toBe("cancelled");
    expect(await run.force(a, { by: b })).toBe("lost");
    expect(await shares.holders()).toEqual([ticketOf(A, 12)]);
  });
});
