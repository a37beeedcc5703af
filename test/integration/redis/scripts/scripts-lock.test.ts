// release, cancel, force, renew and inspect: reply by reply, on a real server.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const list = (reply: Reply): Reply[] => reply as Reply[];

/** One operation by itself, as lib/isolated.lua runs it among many. */
const isolated = async (operation: string): Promise<unknown> => {
  const library = readFileSync(
    join(import.meta.dirname, "../../../../src/backends/redis/scripts/lib/isolated.lua"),
    "utf8",
  );
  const [reply] = list(
    await run.command("EVAL", `${library}\nreturn { isolated(function() ${operation} end) }`, "0"),
  );
  return reply;
};
test.each([
  ["raised", "error('@user_script: 71: -OOM command not allowed', 0)"],
  ["answered", "return { err = '@user_script: 71: -OOM command not allowed' }"],
  ["raised by Redis 7", "error({ err = 'OOM command not allowed' })"],
])("an error of Redis 6.2 is told without where it happened: %s", async (_name, operation) => {
  expect(await isolated(operation)).toMatchObject({ message: "OOM command not allowed" });
  expect(await isolated("return 'fine'")).toBe("fine");
});

describe("release", () => {
  test("[L6] frees the lock, and leaves a receipt that expires", async () => {
    await run.acquire(a);
    expect(await run.release(a)).toBe("released");
    expect(Object.keys(await run.everything())).toEqual([at.doneKey(A), at.stampKey]);
    expect(await run.command("HGETALL", at.doneKey(A))).toMatchObject({ 1: "1 released" });
    expect(Number(await run.command("PTTL", at.doneKey(A)))).toBeGreaterThan(9_000);
  });

  test("[S5] the life of receipts is renewed when the client says so, and for a new slot", async () => {
    const life = async (): Promise<Reply> => run.command("PTTL", at.doneKey(A));
    await run.acquire(a);
    await run.release(a);
    await run.command("PERSIST", at.doneKey(A));
    await run.acquire(a, { n: 2 });
    await run.release(a, { n: 2 });
    expect(await life()).toBe(-1);
    await run.acquire(a, { n: 3 });
    await run.release(a, { n: 3, refresh: true, keep: 5_000 });
    expect(await life()).toBeGreaterThan(4_900);
    await run.command("PERSIST", at.doneKey(A));
    await run.acquire(a, { n: 4 });
    await run.release(a, { n: 4, slot: 77 });
    expect(await life()).toBeGreaterThan(9_900);
  });

  test("[L6] what is not held is not released: expired, taken over, never had", async () => {
    await run.acquire(a);
    await run.expire();
    expect(await run.release(a)).toBe("lost");
    await run.acquire(b);
    const before = await run.everything();
    expect(await run.release(a)).toBe("lost");
    expect(await run.release(b.slice(0, -1))).toBe("lost"); // the beginning of the holder's ticket
    expect(await run.everything()).toEqual(before);
  });

  test("[S5] a retry is answered as the first try, also when another holds the lock by now", async () => {
    await run.acquire(a);
    await run.release(a);
    await run.acquire(b);
    expect(await run.release(a, { proof: [9, 9] })).toBe("released");
    expect(await run.command("GET", at.lockKey)).toContain(b);
  });

  test("[S5] late copies and lost receipts are told apart from a lost lock", async () => {
    await run.acquire(a);
    await run.release(a, { n: 5 });
    expect(await run.release(a, { n: 4 })).toBe("forgotten");
    expect(await run.release(a, { n: 6 })).toBe("lost");
    expect(await run.release(a, { n: 6, proof: [1, 6] })).toBe("forgotten");
    expect(await run.release(a, { n: 6, proof: [2, 1] })).toBe("forgotten");
    expect(await run.release(a, { n: 6, proof: [1, 5] })).toBe("lost");
    expect(await run.release(a, { n: 5 })).toBe("forgotten"); // the refusal of a retry is recorded
  });

  test("[L2] [L8] hands the lock to the first waiter, and wakes it alone", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "qp", fences: 3, leaseMs: 700 });
    await run.acquire(c, { wish: "qp" });
    const heard = await run.listen(B, C);
    await run.release(a);
    await run.settle();
    const value = String(await run.command("GET", at.lockKey));
    const [, first, last] = value.split(" ");
    expect(value.startsWith(`${b} `)).toBe(true);
    expect(Number(last)).toBe(Number(first) + 2);
    expect(heard).toEqual([`granted ${b} ${String(first)} 3 700 1 - x\n`]);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeLessThanOrEqual(700);
  });

  test("[L9] the hand-over lease is at most 10 s", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q", leaseMs: 86_400_000 });
    await run.release(a);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeLessThanOrEqual(10_000);
  });

  test.each([
    ["absent", undefined, "a", ""],
    ["small", "s".repeat(2_000), "s", "s".repeat(2_000)],
    ["large", "s".repeat(2_048), "-", ""],
  ])("[L8] the wake brings the state if it wants it: %s", async (_name, stored, kind, sent) => {
    if (stored !== undefined)
      await run.command("SET", at.stateKey, stored + (stored.length > 2_000 ? "s" : ""));
    await run.acquire(a);
    await run.acquire(b, { wish: "qs" });
    const heard = await run.listen(B);
    await run.release(a);
    await run.settle();
    const [head, ...bytes] = (heard[0] ?? "").split("\n");
    expect(head).toMatch(new RegExp(`^granted ${b} \\d+ 1 10000 0 ${kind} x$`));
    expect(bytes.join("\n")).toBe(sent);
  });

  test("[L8] an id is what is between the braces, whatever is in it", async () => {
    const id = "a b}c{lock:{ü";
    await run.acquire(a, { id });
    const heard = await run.listen(A, B);
    await run.acquire(b, { id, wish: "q" });
    await run.release(a, { id });
    await run.settle();
    expect(heard[0]).toBe(`wanted ${a} ${id}`);
    expect(heard[1]?.endsWith(` - ${id}\n`)).toBe(true);
  });

  test("a full server can release, hand over and cancel", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    await run.fill();
    expect(await run.release(a)).toBe("released");
    expect(await run.command("GET", at.lockKey)).toContain(b);
    expect(await run.cancel(b)).toBe("released");
    expect(await run.command("GET", at.lockKey)).toContain(c);
    expect(await run.force(c, { by: ticketOf(A, 5) })).toBe("released");
    expect(await run.command("EXISTS", at.lockKey, at.queueKey, at.asksKey)).toBe(0);
  });
});

describe("cancel", () => {
  test("[L7] a waiter leaves nothing behind", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    expect(await run.cancel(b)).toBe("cancelled");
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
    expect(await run.command("HGETALL", at.doneKey(B))).toMatchObject({ 1: "1 cancelled" });
    expect(await run.cancel(b)).toBe("cancelled");
  });

  test("[L7] a grant that came too late is passed on", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    await run.release(a);
    expect(await run.cancel(b)).toBe("released");
    expect(await run.command("GET", at.lockKey)).toContain(c);
    expect(await run.cancel(b)).toBe("released");
    expect(await run.command("GET", at.lockKey)).toContain(c);
  });

  test("[S5] a late copy, or one whose proof is gone, does nothing", async () => {
    await run.acquire(a);
    await run.cancel(ticketOf(A, 2), { slot: 1, n: 7 });
    const before = await run.everything();
    expect(await run.cancel(a, { n: 6 })).toBe("forgotten");
    expect(await run.cancel(a, { slot: 3, proof: [1, 8] })).toBe("forgotten");
    expect(await run.everything()).toEqual(before);
  });
});

describe("force", () => {
  const by = ticketOf(C, 50);

  test("[L6] ends exactly that grant, tells its holder, and hands over", async () => {
    const fence = Number(await run.acquire(a, { fences: 2 }));
    await run.acquire(b, { wish: "q" });
    const heard = await run.listen(A, B);
    expect(await run.force(b, { by })).toBe("lost");
    expect(await run.force(a, { by, ifFence: fence + 2 })).toBe("lost");
    expect(await run.force(a, { by, ifFence: fence - 1 })).toBe("lost");
    expect(await run.force(a, { by, ifFence: fence + 1 })).toBe("released");
    await run.settle();
    expect(heard[0]).toBe(`forced ${a} x`);
    expect(heard[1]).toContain(`granted ${b} `);
    expect(await run.release(a)).toBe("lost");
    expect(await run.force(a, { by, ifFence: fence + 1 })).toBe("released"); // the receipt
    expect(await run.command("GET", at.lockKey)).toContain(b);
  });

  test.each(["token", "two words", ""])("[L11] ends the lock of a foreign client (%j)", async (token) => {
    await run.command("SET", at.lockKey, token);
    expect(await run.force(token, { by, ifFence: 1 })).toBe("lost");
    expect(await run.force(token, { by })).toBe("released");
    expect(await run.command("EXISTS", at.lockKey)).toBe(0);
  });
});

describe("renew and inspect", () => {
  test("[L5] renews what is held, and only that", async () => {
    await run.acquire(a, { leaseMs: 1_000 });
    expect(await run.renew(a, 20_000)).toBe(1);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeGreaterThan(19_900);
    expect(await run.renew(b)).toBe(0);
    await run.expire();
    expect(await run.renew(a)).toBe(0);
    expect(await run.command("EXISTS", at.lockKey)).toBe(0);
  });

  test("[L9] an ask confirms a hand-over, and gives the full lease", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.release(a);
    expect(list(await run.acquire(b, { wish: "q", leaseMs: 20_000 })).slice(2)).toEqual([1, 20_000, 0]);
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
  });

  test("[L1] a ticket that begins like the holder's is another one", async () => {
    await run.acquire(ticketOf(A, 12));
    expect(list(await run.acquire(a))[0]).toBe("busy");
    expect(await run.release(a)).toBe("lost");
    expect(await run.commit(a)).toBe("lost");
    expect(await run.write(a)).toBe("lost");
    expect(await run.renew(a)).toBe(0);
    expect(await run.force(a, { by: b })).toBe("lost");
    expect(await run.cancel(a)).toBe("cancelled");
    expect(await run.release(ticketOf(A, 12))).toBe("released");
  });

  test("[L9] a renewal confirms a hand-over", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.release(a);
    expect(await run.command("ZCARD", at.queueKey)).toBe(1);
    expect(await run.renew(b)).toBe(1);
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
  });

  test("inspect says who, for how long, and how many wait", async () => {
    const inspect = (): Promise<Reply> => run.run("inspect", [at.lockKey, at.queueKey, at.sharingKey], []);
    expect(await inspect()).toBe(0);
    await run.acquire(a, { leaseMs: 5_000 });
    await run.acquire(b, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    expect(await inspect()).toEqual([expect.stringContaining(a), expect.any(Number), 2, expect.any(Number)]);
    await run.release(a);
    expect(await inspect()).toEqual([expect.stringContaining(b), expect.any(Number), 1, expect.any(Number)]);
  });
});
