// commit and write, each by itself: the lock that is given back, handed over or refused; reply by reply, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, B, C, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

const [a, b, c] = [ticketOf(A), ticketOf(B), ticketOf(C)];

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const words = (reply: Reply): string[] => String(reply).split(" ");
const stored = (): Promise<Reply> => run.command("GET", at.stateKey);

describe("commit", () => {
  test("[S3] [S4] saves and releases in one step, and only for the holder", async () => {
    await run.acquire(a);
    expect(await run.commit(b)).toBe("lost");
    expect(await stored()).toBeNull();
    expect(await run.commit(a, { bytes: "1" })).toMatch(/^released \d+$/);
    expect(await run.command("EXISTS", at.lockKey)).toBe(0);
    await run.acquire(b);
    expect(await run.commit(c, { bytes: "2" })).toBe("lost");
    expect(await stored()).toMatch(/\n1$/);
  });

  test("[S5] a repeated commit is answered as the first time, and done once", async () => {
    await run.acquire(a);
    const reply = await run.commit(a, { bytes: "1" });
    await run.acquire(b);
    await run.commit(b, { bytes: "2" });
    expect(await run.commit(a, { bytes: "1" })).toBe(reply);
    expect(await run.commit(a, { bytes: "1", n: 0 })).toBe("forgotten");
    expect(await run.commit(a, { n: 2, proof: [1, 2] })).toBe("forgotten");
    expect(await stored()).toMatch(/\n2$/);
  });

  test("[S2] a refused write keeps the lock, and leaves no receipt: it may be tried again", async () => {
    await run.acquire(a);
    expect(await run.commit(a, { ifRevision: "7" })).toBe("conflict absent");
    expect(await run.command("EXISTS", at.doneKey(A))).toBe(0);
    expect(await run.renew(a)).toBe(1);
    expect(words(await run.commit(a, { ifRevision: "absent" }))[0]).toBe("released");
  });

  test("[L2] [L8] hands over with the state that it saved", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "qs" });
    const heard = await run.listen(B);
    const revision = words(await run.commit(a, { bytes: "fresh", keepFor: [1_000, 2] }))[1];
    await run.settle();
    expect(heard[0]).toMatch(
      new RegExp(`^granted ${b} \\d+ 1 10000 0 s x\nhf1 ${String(revision)} json\nfresh$`),
    );
    expect(await run.command("GET", at.lockKey)).toContain(b);
  });

  test("[L2] [L3] keeps the lock with new fences and its full lease, if nobody waits", async () => {
    const fence = Number(await run.acquire(a));
    const [kept, revision, first, count] = words(await run.commit(a, { keepFor: [9_000, 5] }));
    expect([kept, count]).toEqual(["kept", "5"]);
    expect(Number(revision)).toBeGreaterThan(fence);
    expect(Number(first)).toBeGreaterThan(Number(revision));
    expect(await run.command("GET", at.lockKey)).toBe(`${a} ${String(first)} ${String(Number(first) + 4)}`);
    expect(Number(await run.command("PTTL", at.lockKey))).toBeLessThanOrEqual(9_000);
    expect(await run.commit(a, { keepFor: [9_000, 5] })).toBe(`kept ${String(revision)} ${String(first)} 5`);
    expect(await run.commit(a, { kind: "none", n: 2, keepFor: [9_000, 1] })).toMatch(/^kept - \d+ 1$/);
    expect(await run.release(a, { n: 3 })).toBe("released");
  });

  test("[L9] a queue of the dead does not end a turn", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.age(b, 13);
    expect(words(await run.commit(a, { keepFor: [9_000, 1] }))[0]).toBe("kept");
    expect(await run.command("EXISTS", at.queueKey)).toBe(0);
  });

  test("a full server: the save fails, the release does not, and the answer says both", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.fill();
    expect(await run.commit(a, { keepFor: [9_000, 1] })).toBe("released - OUT_OF_MEMORY");
    expect(await run.command("GET", at.lockKey)).toContain(b);
    expect(await run.commit(a)).toBe("released - OUT_OF_MEMORY");
    expect(await run.commit(b)).toBe("released - OUT_OF_MEMORY");
    expect(await run.command("EXISTS", at.lockKey, at.stateKey, at.queueKey, at.asksKey)).toBe(0);
  });

  test("a full server: a turn whose save failed is not gone on with", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.age(b, 13);
    await run.fill();
    expect(await run.commit(a, { keepFor: [9_000, 1] })).toBe("released - OUT_OF_MEMORY");
    expect(await run.command("EXISTS", at.lockKey)).toBe(0);
  });

  test("[S1] only a lack of memory may fail a save and not the release", async () => {
    await run.acquire(a);
    await run.command("DEL", at.stampKey);
    await run.command("SADD", at.stampKey, "x");
    await expect(run.commit(a)).rejects.toThrow(/WRONGTYPE/);
    expect(await run.renew(a)).toBe(1);
  });

  test("a full server deletes and releases", async () => {
    await run.acquire(a);
    await run.write(a, { slot: 3 });
    await run.fill();
    expect(await run.commit(a, { kind: "delete", keepFor: [9_000, 1] })).toMatch(/^(released -|kept - .*)$/);
    expect(await run.command("EXISTS", at.stateKey)).toBe(0);
  });
});

describe("write", () => {
  test("[S8] is refused while anybody holds the lock", async () => {
    await run.acquire(a);
    const before = await run.everything();
    expect(await run.write(b, { free: true })).toBe("busy");
    expect(await run.write(b, { kind: "delete", free: true })).toBe("busy");
    expect(await run.everything()).toEqual(before);
    await run.release(a);
    expect(words(await run.write(b, { free: true }))[0]).toBe("saved");
    await run.command("SET", at.lockKey, "foreign");
    expect(await run.write(b, { n: 2, free: true })).toBe("busy");
    await run.command("DEL", at.lockKey);
    await run.command("SADD", at.lockKey, "x");
    expect(await run.write(b, { n: 2, free: true })).toBe("busy");
  });

  test("[S8] is refused while anybody waits for the lock, but not for the dead", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.acquire(c, { wish: "q" });
    await run.expire();
    expect(await run.write(ticketOf(A, 2), { free: true })).toBe("busy");
    await run.age(b, 13);
    expect(await run.write(ticketOf(A, 2), { free: true })).toBe("busy");
    expect(await run.waiting()).toEqual([c]);
    await run.age(c, 13);
    expect(words(await run.write(ticketOf(A, 2), { free: true }))[0]).toBe("saved");
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
  });

  test("[S4] under a ticket it is refused once that holds the lock no more", async () => {
    expect(await run.write(a)).toBe("lost");
    await run.acquire(a);
    expect(words(await run.write(a))[0]).toBe("saved");
    expect(await run.write(b)).toBe("lost");
    await run.expire();
    expect(await run.write(a, { n: 2 })).toBe("lost");
    expect(await run.write(a)).toMatch(/^saved/); // the receipt
  });

  test("[L9] under a ticket it confirms a hand-over", async () => {
    await run.acquire(a);
    await run.acquire(b, { wish: "q" });
    await run.release(a);
    expect(await run.write(b, { ifRevision: "7", slot: 9 })).toBe("conflict absent");
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(2);
    await run.write(b, { slot: 9 });
    expect(await run.command("EXISTS", at.queueKey, at.asksKey)).toBe(0);
  });

  test("[S5] is done once, whatever comes in between", async () => {
    const first = await run.write(a, { bytes: "1", free: true });
    await run.write(b, { bytes: "2", free: true });
    expect(await run.write(a, { bytes: "1", free: true })).toBe(first);
    await run.acquire(c);
    expect(await run.write(a, { bytes: "1", free: true })).toBe(first);
    expect(await run.write(a, { bytes: "3", free: true, n: 0 })).toBe("forgotten");
    expect(await run.write(a, { bytes: "3", free: true, n: 2, proof: [1, 2] })).toBe("forgotten");
    expect(await stored()).toMatch(/\n2$/);
  });

  test("a full server refuses a save, and nothing is written", async () => {
    await run.acquire(a);
    const before = await run.everything();
    await run.fill();
    await expect(run.write(a)).rejects.toThrow(/OOM/);
    await expect(run.write(b, { id: "y", free: true })).rejects.toThrow(/OOM/);
    expect(await run.everything()).toEqual(before);
    expect(await run.write(b, { id: "y", kind: "delete", free: true })).toBe("deleted -");
  });
});
