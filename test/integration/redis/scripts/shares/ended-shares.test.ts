// How shares end: by their own leases, and when the key of the lock, or the hash of its holders, is not what it was.

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

describe("[L10] [L12] leases of several end one by one", () => {
  test("a dead reader leaves by its own lease; the others stay; the last lets the waiter in", async () => {
    await shares.ask(a);
    await shares.ask(b);
    await run.acquire(c, { wish: "q" });
    await shares.end(a);
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(a)).toBe("lost");
    expect(await run.write(a)).toBe("lost");
    expect(list(await shares.inspect()).slice(3)).toEqual([b, expect.any(String), expect.any(Number)]);
    expect(list(await run.acquire(c, { wish: "q" })).slice(1)).toEqual([
      expect.stringContaining(b),
      times,
      0,
      -1,
      1,
    ]);
    expect(await shares.holders()).toEqual([b]);
    await shares.end(b);
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    expect(await run.command("EXISTS", at.sharingKey)).toBe(0);
  });

  test("[L6] a share whose lease is over is not released, nor asked for again as if it were held", async () => {
    await shares.ask(a);
    await shares.ask(b);
    await shares.end(a);
    expect(await run.release(a)).toBe("lost");
    expect(await run.release(a2)).toBe("lost");
    expect(await run.release(b)).toBe("released");
    expect(await run.command("EXISTS", at.lockKey, at.sharingKey)).toBe(0);
    await shares.ask(c);
    await shares.end(c);
    expect(await run.release(c)).toBe("lost");
    expect(await shares.ask(c2)).toEqual(expect.any(Number));
    expect(await shares.holders()).toEqual([c2]);
  });

  test("[S8] a plain write does not wait for the dead", async () => {
    await shares.ask(a);
    await shares.end(a);
    expect(await run.write(b, { free: true })).toContain("saved ");
    expect(await run.command("EXISTS", at.lockKey, at.sharingKey)).toBe(0);
  });

  test("the key of the lock lasts as long as the last lease, also after renewals of others", async () => {
    await shares.ask(a, { leaseMs: 20_000 });
    await shares.ask(b, { leaseMs: 5_000 });
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(15_000);
    await run.renew(b, 5_000);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(15_000);
    await run.renew(b, 40_000);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(35_000);
  });

  test("of 3 000 that died, none is left, in one step", async () => {
    await shares.ask(a);
    const [, ...rest] = String(await run.command("HGET", at.sharingKey, a)).split(" ");
    const past = String((await run.now()) - 1);
    const dead = Array.from({ length: 3_000 }, (_, n) => [ticketOf(B, n), [past, ...rest].join(" ")]).flat();
    await run.command("HSET", at.sharingKey, ...dead, "used", "3001", "first", `${past} ${b}`);
    expect(list(await run.acquire(c))[5]).toBe(1);
    expect(await shares.holders()).toEqual([a]);
    expect(await run.command("HGET", at.sharingKey, "used")).toBe("1");
  });
});

describe("[L11] [L12] the lock's key decides alone", () => {
  test("DEL ends all shares", async () => {
    await shares.ask(a);
    await shares.ask(b);
    await run.expire();
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(b)).toBe("lost");
    expect(await shares.inspect()).toBe(0);
    const fence = Number(await shares.ask(c));
    expect(await run.command("GET", at.lockKey)).toBe(`shared ${String(fence)}`);
    expect(await shares.holders()).toEqual([c]);
    expect(await run.command("HGET", at.sharingKey, "used")).toBe("1");
    expect(await run.renew(a)).toBe(0);
    expect(await run.acquire(ticketOf(A, 9), { id: "y" })).toBeTypeOf("number");
  });

  test("DEL ends all shares, and an exclusive ask finds the lock free", async () => {
    await shares.ask(a);
    await run.expire();
    expect(await run.acquire(b)).toBeTypeOf("number");
    expect(await run.release(a)).toBe("lost");
    expect(await run.release(b)).toBe("released");
    await shares.ask(c);
    expect(await shares.holders()).toEqual([c]);
  });

  test("a foreign SET takes the lock from all, and SET NX does not", async () => {
    await shares.ask(a);
    expect(await run.command("SET", at.lockKey, "token", "NX", "PX", "1000")).toBeNull();
    await run.command("SET", at.lockKey, "token", "PX", "20000");
    expect(await run.renew(a)).toBe(0);
    expect(await run.release(a)).toBe("lost");
    expect(await shares.ask(b)).toEqual(["busy", "token", times, 0]);
    expect(list(await shares.ask(b, { wish: "qr1" })).slice(0, 2)).toEqual(["waiting", "token"]);
    await run.expire();
    expect(list(await shares.ask(b, { wish: "qr1" }))[0]).toBe("granted");
    expect(await shares.holders()).toEqual([b]);
  });

  test.each(["gone", "of another generation", "damaged"])(
    "holders that are %s: nobody holds, and nobody is let in before the marker expires",
    async (how) => {
      const fence = Number(await shares.ask(a));
      if (how === "gone") await run.command("DEL", at.sharingKey);
      else if (how === "damaged") await run.command("HSET", at.sharingKey, "used", "many");
      else await run.command("HSET", at.sharingKey, "generation", "12");
      const marker = `shared ${String(fence)}`;
      expect(await run.renew(a)).toBe(0);
      expect(await run.release(a)).toBe("lost");
      expect(await shares.ask(b)).toEqual(["busy", marker, times, 0]);
      expect(await run.acquire(b)).toEqual(["busy", marker, times, 0]);
      expect(await run.write(b, { free: true })).toBe("busy");
      expect(await shares.inspect()).toEqual([marker, times, 0, expect.any(Number)]);
      expect(await run.force(marker, { by: c })).toBe("released");
      expect(await run.command("EXISTS", at.lockKey)).toBe(0);
      expect(await shares.ask(b)).toBeTypeOf("number");
      expect(await shares.holders()).toEqual([b]);
    },
  );

  test("a stamp that was set back or ahead of the clock does not matter to leases", async () => {
    await run.command("SET", at.stampKey, String(3_800_000_000_000_000));
    expect(await shares.ask(a)).toBe(3_800_000_000_000_001);
    await shares.ask(b);
    expect(await run.renew(a)).toBe(1);
    expect(await shares.holders()).toEqual([a, b]);
  });
});

test("a full server renews, releases, hands over and removes the dead, and refuses new shares", async () => {
  await shares.ask(a);
  await shares.ask(b);
  await shares.ask(c);
  await run.acquire(a2, { wish: "q" });
  await shares.ask(b2, { wish: "qr1" });
  await shares.end(c);
  await run.fill();
  expect(await run.renew(a)).toBe(1);
  await expect(shares.ask(c2, { id: "y" })).rejects.toThrow(/OOM/);
  expect(list(await run.acquire(c2))[0]).toBe("busy");
  expect(await shares.holders()).toEqual([a, b]);
  expect(await run.cancel(a)).toBe("released");
  expect(await run.release(b)).toBe("released");
  expect(await run.command("GET", at.lockKey)).toContain(a2);
  expect(await run.release(a2)).toBe("released");
  expect(await shares.holders()).toEqual([b2]);
  expect(await run.force(b2, { by: ticketOf(C, 50) })).toBe("released");
});
