// Locks that many tickets hold: what the scripts reply, store and send, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];
const [a2, b2, c2] = [ticketOf(A, 2), ticketOf(B, 2), ticketOf(C, 2)];

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const list = (reply: Reply): Reply[] => reply as Reply[];
const holdersOf = async (): Promise<Reply[]> =>
  list(await run.command("HKEYS", at.sharingKey)).filter((field) => String(field).includes(":"));
/** The lease of this share ends now, by the server's clock. */
async function end(ticket: string): Promise<void> {
  const [, ...rest] = String(await run.command("HGET", at.sharingKey, ticket)).split(" ");
  const past = (await run.now()) - 1;
  await run.command("HSET", at.sharingKey, ticket, [past, ...rest].join(" "));
  await run.command("HSET", at.sharingKey, "first", `${String(past)} ${ticket}`);
}
const times: unknown = expect.any(Number);

describe("[L12] shared", () => {
  test("[L3] a free lock is shared: marker, holders and leases; the last one leaves nothing behind", async () => {
    const first = Number(await run.share(a, { leaseMs: 5_000 }));
    const second = Number(await run.share(b, { leaseMs: 9_000, fences: 3 }));
    expect(second).toBeGreaterThan(first);
    expect(await run.command("GET", at.lockKey)).toBe(`shared ${String(first)}`);
    for (const key of [at.lockKey, at.sharingKey]) {
      expect(Number(await run.command("PTTL", key))).toBeGreaterThan(8_900);
      expect(Number(await run.command("PTTL", key))).toBeLessThanOrEqual(9_000);
    }
    expect(await run.release(a)).toBe("released");
    expect(await holdersOf()).toEqual([b]);
    expect(await run.release(a)).toBe("released"); // the receipt
    expect(await run.release(b)).toBe("released");
    expect(Object.keys(await run.everything())).toEqual([at.doneKey(A), at.doneKey(B), at.stampKey]);
  });

  test("an exclusive ask waits for all, and is told the holder whose lease ends first", async () => {
    await run.share(a, { leaseMs: 20_000 });
    const fence = Number(await run.share(b, { leaseMs: 10_000 }));
    const reply = list(await run.acquire(c, { wish: "q" }));
    expect(reply).toEqual(["waiting", `${b} ${String(fence)}`, times, 0, -1, 2]);
    expect(Number(reply[2])).toBeGreaterThan(9_900);
    await run.renew(b, 30_000);
    expect(list(await run.acquire(c, { wish: "q" }))[1]).toContain(a);
    await run.release(b);
    expect(list(await run.acquire(c2)).slice(0, 2)).toEqual(["busy", expect.stringContaining(a)]);
    await run.release(a);
    expect(await run.command("GET", at.lockKey)).toContain(c);
  });

  test("[L2] a shared ask does not overtake an exclusive one, and those behind it are served together", async () => {
    await run.share(a);
    await run.acquire(b, { wish: "q" });
    const heard = await run.listen(A, B, C);
    expect(list(await run.share(c))[0]).toBe("busy");
    expect(list(await run.share(c, { wish: "qr1" })).slice(0, 4)).toEqual([
      "waiting",
      expect.any(String),
      times,
      1,
    ]);
    expect(list(await run.share(a2, { wish: "qr1" }))[3]).toBe(2);
    await run.acquire(b2, { wish: "q" });
    await run.release(a);
    expect(await run.command("GET", at.lockKey)).toContain(b);
    await run.renew(b);
    await run.release(b);
    expect(await holdersOf()).toEqual([c, a2]);
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
    await run.share(a);
    await run.acquire(b, { wish: "q" });
    await run.share(c, { wish: "qr1" });
    expect(await run.cancel(b)).toBe("cancelled");
    expect(await holdersOf()).toEqual([a, c]);
  });

  test("[L8] the holders are told once that an exclusive ask waits, each by its ticket", async () => {
    await run.share(a);
    await run.share(b);
    const heard = await run.listen(A, B, C);
    await run.acquire(c, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    await run.acquire(c2, { wish: "q" });
    await run.settle();
    expect(heard.sort()).toEqual([`wanted ${a} x`, `wanted ${b} x`]);
  });

  test("[L8] who was handed a share in the same step is not told again", async () => {
    await run.share(a);
    await run.acquire(b, { wish: "q" });
    await run.share(c, { wish: "qr1" });
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
    const ways = [() => run.share(b, { wish: "qr1" }), () => run.renew(b), () => confirm(b)];
    for (const [turn, way] of ways.entries()) {
      await run.acquire(a, { n: 2 * turn + 1 });
      await run.share(b, { wish: "qr1", n: 2 * turn + 1 });
      await run.release(a, { n: 2 * turn + 1 });
      expect(Number(await run.command("PTTL", at.lockKey))).toBeLessThanOrEqual(10_000);
      expect(await run.command("ZCARD", at.queueKey)).toBe(1);
      await way();
      expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(29_000);
      expect(Number(await run.command("PTTL", at.sharingKey))).toBeGreaterThan(29_000);
      expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
      await run.release(b, { n: 2 * turn + 1 });
    }
  });

  test("[L9] who listens for wakes but is not there is passed over, and the next one gets the share", async () => {
    const heard = await run.listen(B, C);
    await run.acquire(a);
    await run.share(b, { wish: "qpr1" });
    await run.share(c, { wish: "qpr1" });
    await run.unlisten(B);
    await run.release(a);
    expect(await holdersOf()).toEqual([c]);
    await run.settle();
    expect(heard).toHaveLength(1);
    expect(list(await run.share(b, { wish: "qpr1" }))[0]).toBe("granted");
  });

  test("[L5] [S5] the holder that asks again gets the same share, and its full lease", async () => {
    const fence = Number(await run.share(a, { leaseMs: 1_000, fences: 2 }));
    await run.acquire(b, { wish: "q" });
    expect(await run.share(a, { leaseMs: 9_000, fences: 5 })).toEqual(["granted", fence, 2, 9_000, 1]);
    expect(await holdersOf()).toEqual([a]);
  });

  test("[S5] a ticket that was released or cancelled is settled", async () => {
    await run.share(a);
    await run.share(b);
    await run.release(a);
    expect(await run.cancel(b)).toBe("released");
    const before = await run.everythingButStamp();
    expect(await run.share(a)).toBe("settled");
    expect(await run.share(b)).toBe("settled");
    expect(await run.everythingButStamp()).toEqual(before);
  });

  test("[S1] the state comes along when it is asked for", async () => {
    expect(await run.share(a, { wish: "sr1" })).toEqual([times, null]);
    await run.command("SET", at.stateKey, "stored");
    expect(await run.share(b, { wish: "sr1" })).toEqual([times, "stored"]);
  });

  test("[S4] [S8] nobody writes while readers hold: not without a ticket, nor under a share", async () => {
    await run.share(a);
    expect(await run.write(b, { free: true })).toBe("busy");
    expect(await run.write(a)).toBe("lost");
    expect(await run.commit(a)).toBe("lost");
    expect(await run.command("EXISTS", at.stateKey)).toBe(0);
    expect(await holdersOf()).toEqual([a]);
    expect(await run.commit(a, { kind: "none", keepFor: [1_000, 1] })).toBe("released -");
    expect(await run.command("EXISTS", at.lockKey, at.sharingKey)).toBe(0);
    expect(await run.write(b, { free: true, n: 2 })).toContain("saved ");
  });

  test("[L6] force ends exactly that share, tells its holder, and serves the queue", async () => {
    const fence = Number(await run.share(a, { fences: 2 }));
    await run.share(b);
    await run.acquire(c, { wish: "q" });
    const heard = await run.listen(A, B, C);
    const by = ticketOf(C, 50);
    expect(await run.force(a, { by, ifFence: fence + 2 })).toBe("lost");
    expect(await run.force(c, { by, n: 2 })).toBe("lost");
    expect(await run.force(a, { by, n: 3, ifFence: fence + 1 })).toBe("released");
    expect(await holdersOf()).toEqual([b]);
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
    const first = Number(await run.share(a, { leaseMs: 5_000 }));
    const second = Number(await run.share(b, { leaseMs: 9_000, fences: 2 }));
    await run.acquire(c, { wish: "q" });
    const reply = list(await run.inspect());
    expect(reply.slice(0, 4)).toEqual([-1, -1, 1, a]);
    expect(reply[4]).toMatch(new RegExp(`^4\\d{6} ${first} ${first} 1$`));
    expect(reply[5]).toBe(b);
    expect(reply[6]).toMatch(new RegExp(`^8\\d{6} ${second} ${second + 1} 1$`));
  });

  test("[L1] a ticket that begins like a holder's is another one", async () => {
    await run.share(ticketOf(A, 12));
    expect(await run.release(a)).toBe("lost");
    expect(await run.renew(a)).toBe(0);
    expect(await run.cancel(a)).toBe("cancelled");
    expect(await run.force(a, { by: b })).toBe("lost");
    expect(await holdersOf()).toEqual([ticketOf(A, 12)]);
  });
});

describe("[L10] [L12] leases of several end one by one", () => {
  test("a dead reader leaves by its own lease; the others stay; the last lets the waiter in", async () => {
    await run.share(a);
    await run.share(b);
    await run.acquire(c, { wish: "q" });
    await end(a);
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(a)).toBe("lost");
    expect(await run.write(a)).toBe("lost");
    expect(list(await run.inspect()).slice(3)).toEqual([b, expect.any(String)]);
    expect(list(await run.acquire(c, { wish: "q" })).slice(1)).toEqual([
      expect.stringContaining(b),
      times,
      0,
      -1,
      1,
    ]);
    expect(await holdersOf()).toEqual([b]);
    await end(b);
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    expect(await run.command("EXISTS", at.sharingKey)).toBe(0);
  });

  test("[S8] a plain write does not wait for the dead", async () => {
    await run.share(a);
    await end(a);
    expect(await run.write(b, { free: true })).toContain("saved ");
    expect(await run.command("EXISTS", at.lockKey, at.sharingKey)).toBe(0);
  });

  test("the key of the lock lasts as long as the last lease, also after renewals of others", async () => {
    await run.share(a, { leaseMs: 20_000 });
    await run.share(b, { leaseMs: 5_000 });
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(19_000);
    await run.renew(b, 5_000);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(19_000);
    await run.renew(b, 40_000);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(39_000);
  });

  test("of 3 000 that died, none is left, in one step", async () => {
    await run.share(a);
    const [, ...rest] = String(await run.command("HGET", at.sharingKey, a)).split(" ");
    const past = String((await run.now()) - 1);
    const dead = Array.from({ length: 3_000 }, (_, n) => [ticketOf(B, n), [past, ...rest].join(" ")]).flat();
    await run.command("HSET", at.sharingKey, ...dead, "used", "3001", "first", `${past} ${b}`);
    expect(list(await run.acquire(c))[5]).toBe(1);
    expect(await holdersOf()).toEqual([a]);
    expect(await run.command("HGET", at.sharingKey, "used")).toBe("1");
  });
});

describe("[L11] [L12] the lock's key decides alone", () => {
  test("DEL ends all shares", async () => {
    await run.share(a);
    await run.share(b);
    await run.expire();
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(b)).toBe("lost");
    expect(await run.inspect()).toBe(0);
    const fence = Number(await run.share(c));
    expect(await run.command("GET", at.lockKey)).toBe(`shared ${String(fence)}`);
    expect(await holdersOf()).toEqual([c]);
    expect(await run.command("HGET", at.sharingKey, "used")).toBe("1");
    expect(await run.renew(a)).toBe(0);
    expect(await run.acquire(ticketOf(A, 9), { id: "y" })).toBeTypeOf("number");
  });

  test("DEL ends all shares, and an exclusive ask finds the lock free", async () => {
    await run.share(a);
    await run.expire();
    expect(await run.acquire(b)).toBeTypeOf("number");
    expect(await run.release(a)).toBe("lost");
    expect(await run.release(b)).toBe("released");
    await run.share(c);
    expect(await holdersOf()).toEqual([c]);
  });

  test("a foreign SET takes the lock from all, and SET NX does not", async () => {
    await run.share(a);
    expect(await run.command("SET", at.lockKey, "token", "NX", "PX", "1000")).toBeNull();
    await run.command("SET", at.lockKey, "token", "PX", "20000");
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(a)).toBe("lost");
    expect(await run.share(b)).toEqual(["busy", "token", times, 0]);
    expect(list(await run.share(b, { wish: "qr1" })).slice(0, 2)).toEqual(["waiting", "token"]);
    await run.expire();
    expect(list(await run.share(b, { wish: "qr1" }))[0]).toBe("granted");
    expect(await holdersOf()).toEqual([b]);
  });

  test.each(["gone", "of another generation", "damaged"])(
    "holders that are %s: nobody holds, and nobody is let in before the marker expires",
    async (how) => {
      const fence = Number(await run.share(a));
      if (how === "gone") await run.command("DEL", at.sharingKey);
      else if (how === "damaged") await run.command("HSET", at.sharingKey, "used", "many");
      else await run.command("HSET", at.sharingKey, "generation", "12");
      const marker = `shared ${String(fence)}`;
      expect(await run.renew(a)).toBe(0);
      expect(await run.release(a)).toBe("lost");
      expect(await run.share(b)).toEqual(["busy", marker, times, 0]);
      expect(await run.acquire(b)).toEqual(["busy", marker, times, 0]);
      expect(await run.write(b, { free: true })).toBe("busy");
      expect(await run.inspect()).toEqual([marker, times, 0]);
      expect(await run.force(marker, { by: c })).toBe("released");
      expect(await run.command("EXISTS", at.lockKey)).toBe(0);
      expect(await run.share(b)).toBeTypeOf("number");
      expect(await holdersOf()).toEqual([b]);
    },
  );

  test("a stamp that was set back or ahead of the clock does not matter to leases", async () => {
    await run.command("SET", at.stampKey, String(3_800_000_000_000_000));
    expect(await run.share(a)).toBe(3_800_000_000_000_001);
    await run.share(b);
    expect(await run.renew(a)).toBe(1);
    expect(await holdersOf()).toEqual([a, b]);
  });
});

test("a full server renews, releases, hands over and removes the dead, and refuses new shares", async () => {
  await run.share(a);
  await run.share(b);
  await run.share(c);
  await run.acquire(a2, { wish: "q" });
  await run.share(b2, { wish: "qr1" });
  await end(c);
  await run.fill();
  expect(await run.renew(a)).toBe(1);
  await expect(run.share(c2, { id: "y" })).rejects.toThrow(/OOM/);
  expect(list(await run.acquire(c2))[0]).toBe("busy");
  expect(await holdersOf()).toEqual([a, b]);
  expect(await run.cancel(a)).toBe("released");
  expect(await run.release(b)).toBe("released");
  expect(await run.command("GET", at.lockKey)).toContain(a2);
  expect(await run.release(a2)).toBe("released");
  expect(await holdersOf()).toEqual([b2]);
  expect(await run.force(b2, { by: ticketOf(C, 50) })).toBe("released");
});
