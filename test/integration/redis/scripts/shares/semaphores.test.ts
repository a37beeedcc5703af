// Semaphores: what the scripts reply, store and send, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "../script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "../script-arguments.ts";
import { type ScriptRunner, withScripts } from "../script-runner.ts";
import { ShareScripts } from "./share-scripts.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];
const [a2, b2, c2] = [ticketOf(A, 2), ticketOf(B, 2), ticketOf(C, 2)];
const dayMs = 86_400_000;

let run: ScriptRunner;
let shares: ShareScripts;
withScripts((runner) => {
  run = runner;
  shares = new ShareScripts(runner);
});

const list = (reply: Reply): Reply[] => reply as Reply[];
const permits = (ticket: string, weight: number, limit: number | "-" = 5, queue = true): Promise<Reply> =>
  shares.ask(ticket, { wish: `${queue ? "q" : ""}w${String(weight)}`, limit });
const used = (): Promise<Reply> => run.command("HGET", at.sharingKey, "used");
const times: unknown = expect.any(Number);

describe("[L13] permits", () => {
  test("as many as fit, in the order of the asks, whatever their weights", async () => {
    expect(await permits(a, 2)).toBeTypeOf("number");
    expect(await permits(b, 2)).toBeTypeOf("number");
    expect(list(await permits(c, 3))).toEqual(["waiting", expect.stringContaining(a), times, 0, -1, 2]);
    expect(list(await permits(a2, 1))[3]).toBe(1); // it would fit, but does not overtake
    expect(list(await permits(b2, 1, 5, false))[0]).toBe("busy");
    const heard = await run.listen(A, B, C);
    expect(await run.release(a)).toBe("released");
    expect(await shares.holders()).toEqual([b, c]);
    expect(await used()).toBe("5");
    expect(await run.release(b)).toBe("released");
    expect(await shares.holders()).toEqual([c, a2]);
    await run.settle();
    expect(heard.map((message) => message.replace(/ \d{16} .*/s, ""))).toEqual([
      `granted ${c}`,
      `granted ${a2}`,
    ]);
  });

  test("the limit outlives the holders, for a day after the last lease", async () => {
    await permits(a, 2);
    const life = async (): Promise<number> => Number(await run.command("PTTL", at.sharingKey));
    expect(await life()).toBeGreaterThan(dayMs + 25_000);
    await run.renew(a, 100_000);
    expect(await life()).toBeGreaterThan(dayMs + 90_000);
    await run.release(a);
    expect(await run.command("EXISTS", at.lockKey)).toBe(0);
    expect(await shares.holders()).toEqual([]);
    expect(await run.command("HEXISTS", at.sharingKey, "generation")).toBe(0);
    expect(await life()).toBeGreaterThan(dayMs + 90_000);
    expect(await shares.inspect()).toEqual([5, 5, 0]);
    expect(await permits(b, 5, "-")).toBeTypeOf("number");
    expect(await shares.holders()).toEqual([b]);
  });

  test("an ask that does not suit is refused, and does not stay in the queue", async () => {
    expect(await permits(a, 1, "-")).toEqual(["mismatch", -1, -1]);
    expect(await permits(a, 6, 5)).toEqual(["mismatch", -1, -1]);
    expect(Object.keys(await run.everything())).toEqual([at.stampKey]);
    await permits(a, 5);
    expect(await permits(b, 1, 4)).toEqual(["mismatch", 5, 5]);
    expect(await permits(b, 6)).toEqual(["mismatch", 5, 5]);
    expect(await permits(b, 6, "-")).toEqual(["mismatch", 5, 5]);
    await permits(b, 1);
    expect(list(await permits(b, 1, 4))[0]).toBe("waiting"); // it may have been right when it came
    expect(await permits(b, 6)).toEqual(["mismatch", 5, 5]);
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
    // A holder is not asked what it takes the limit to be.
    expect(list(await permits(a, 5, 4))[0]).toBe("granted");
  });

  test("[L10] permits of the dead are free after their leases, each by its own", async () => {
    await shares.ask(a, { wish: "w3", limit: 5, leaseMs: 30_000 });
    await shares.ask(b, { wish: "w2", limit: 5, leaseMs: 30_000 });
    await permits(c, 2);
    const [, ...rest] = String(await run.command("HGET", at.sharingKey, b)).split(" ");
    await run.command("HSET", at.sharingKey, b, ["1", ...rest].join(" "), "first", `1 ${b}`);
    expect(list(await permits(c, 2))[0]).toBe("granted");
    expect(await shares.holders()).toEqual([a, c]);
    expect(await used()).toBe("5");
  });

  test("no holder is told that others wait", async () => {
    const heard = await run.listen(A, B, C);
    await permits(a, 5);
    await permits(b, 1);
    await run.settle();
    expect(heard).toEqual([]);
  });

  test("DEL of the lock's key ends all grants, and the limit stays", async () => {
    await permits(a, 5);
    await run.expire();
    expect(await run.renew(a)).toBe(0);
    expect(await shares.inspect()).toEqual([5, 5, 0]);
    expect(await permits(b, 3, 6)).toEqual(["mismatch", 5, 5]);
    expect(await permits(b, 3)).toBeTypeOf("number");
    expect(await shares.holders()).toEqual([b]);
    expect(await shares.inspect()).toEqual([5, 5, 0, b, expect.stringMatching(/ 3$/), expect.any(Number)]);
    expect(await run.release(a)).toBe("lost");
  });

  test("a lost hash: nobody gets permits before the leases that it knew have ended", async () => {
    await permits(a, 5);
    await run.command("DEL", at.sharingKey);
    expect(list(await permits(b, 5)).slice(0, 2)).toEqual(["waiting", expect.stringMatching(/^shared \d+$/)]);
    await run.expire();
    expect(list(await permits(b, 5))[0]).toBe("granted");
  });
});

describe("[L13] resize and delete", () => {
  const by = ticketOf(C, 50);

  test("more: the queue is served; both numbers are known from then on", async () => {
    await permits(a, 5);
    await permits(b, 3);
    await permits(c, 1);
    expect(await shares.semaphore(by, { limit: 8 })).toBe("resized");
    expect(await shares.holders()).toEqual([a, b]);
    expect(await run.waiting()).toEqual([c]);
    expect(await shares.semaphore(by, { limit: 9, n: 2 })).toBe("resized");
    expect(await shares.holders()).toEqual([a, b, c]);
    expect(list(await permits(a2, 1, 5))[0]).toBe("waiting");
    expect(list(await permits(b2, 1, 9))[0]).toBe("waiting");
    expect(await permits(c2, 1, 8)).toEqual(["mismatch", 9, 5]);
  });

  test("less: holders finish, and asks that are too heavy are sent back; those behind them are not", async () => {
    await permits(a, 5);
    await permits(b, 3);
    await permits(c, 2);
    const heard = await run.listen(A, B, C);
    expect(await shares.semaphore(by, { limit: 2 })).toBe("resized");
    await run.settle();
    expect(heard).toEqual([`ask ${b} x`]);
    expect(await run.waiting()).toEqual([c]);
    expect(await permits(b, 3)).toEqual(["mismatch", 2, 5]);
    expect(await run.renew(a)).toBe(1);
    expect(await shares.holders()).toEqual([a]);
    await run.release(a);
    expect(await shares.holders()).toEqual([c]);
  });

  test("[S5] takes effect once", async () => {
    await permits(a, 5);
    expect(await shares.semaphore(by, { limit: 8 })).toBe("resized");
    expect(await shares.semaphore(by, { limit: 3, n: 2 })).toBe("resized");
    expect(await shares.semaphore(by, { limit: 8 })).toBe("forgotten");
    expect(await shares.semaphore(by, { limit: 3, n: 2 })).toBe("resized");
    expect(await shares.semaphore(by, { limit: 4, n: 3, proof: [50, 7] })).toBe("forgotten");
    expect(list(await shares.inspect()).slice(0, 2)).toEqual([3, 5]);
  });

  test("what is not there is made only if it is said how", async () => {
    expect(await shares.semaphore(by, { limit: 4 })).toBe("absent");
    expect(await shares.semaphore(by)).toBe("absent");
    expect(Object.keys(await run.everything())).toEqual([]);
    expect(await shares.semaphore(by, { limit: 4, created: 6 })).toBe("resized");
    expect(await shares.inspect()).toEqual([4, 6, 0]);
    expect(await shares.semaphore(by, { n: 2 })).toBe("removed");
    expect(await shares.inspect()).toBe(0);
  });

  test("delete is refused while anybody holds or waits", async () => {
    await permits(a, 5);
    expect(await shares.semaphore(by)).toBe("busy");
    await permits(b, 1);
    await run.expire();
    expect(await shares.semaphore(by, { n: 2 })).toBe("busy");
    await run.cancel(b);
    expect(await shares.semaphore(by, { n: 3 })).toBe("removed");
    expect(await run.command("EXISTS", at.sharingKey)).toBe(0);
  });

  test("[L9] who waits for permits of a semaphore that is gone is sent back when that is noticed", async () => {
    await permits(a, 5);
    await permits(b, 1);
    await run.expire();
    await run.command("DEL", at.sharingKey);
    const heard = await run.listen(B);
    expect(list(await run.acquire(c, { wish: "q" }))[0]).toBe("granted");
    await run.settle();
    expect(heard).toEqual([`ask ${b} x`]);
  });
});
