// Each of our keys is, in turn, of a type that we never write: what each script makes of it, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, B, ticketOf, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";
import { ShareScripts } from "./shares/share-scripts.ts";

const [a, b] = [ticketOf(A), ticketOf(B)];

let run: ScriptRunner;
let shares: ShareScripts;
withScripts((runner) => {
  run = runner;
  shares = new ShareScripts(runner);
});

async function isRefused(call: Promise<Reply>): Promise<boolean> {
  try {
    await call;
    return false;
  } catch (error) {
    expect(String(error)).toContain("WRONGTYPE");
    return true;
  }
}

describe("what is not ours", () => {
  const others = [
    at.lockKey,
    at.queueKey,
    at.asksKey,
    at.stampKey,
    at.doneKey(A),
    at.doneKey(B),
    at.sharingKey,
  ];
  const calls: Record<string, () => Promise<Reply>> = {
    acquire: () => run.acquire(b, { wish: "q" }),
    release: () => run.release(b, { n: 2 }),
    commit: () => run.commit(b, { n: 2 }),
    cancel: () => run.cancel(b, { n: 2 }),
    force: () => run.force(a, { by: ticketOf(B, 2) }),
    renew: () => run.renew(b),
    write: () => run.write(b, { n: 2 }),
    share: () => shares.ask(b, { wish: "qr1" }),
    semaphore: () => shares.semaphore(b, { n: 2, limit: 3, created: 3 }),
    inspect: () => shares.inspect(),
    "release by the holder": () => run.release(a),
    "commit by the holder": () => run.commit(a),
    "cancel by the holder": () => run.cancel(a),
    "write by the holder": () => run.write(a),
  };

  const sharedCalls: typeof calls = {
    "acquire again": () => shares.ask(a),
    acquire: () => run.acquire(ticketOf(A, 3)),
    share: () => shares.ask(ticketOf(A, 3), { wish: "qr1" }),
    release: () => run.release(a),
    commit: () => run.commit(a, { kind: "none", keepFor: [1_000, 1] }),
    cancel: () => run.cancel(a),
    "cancel of the waiter": () => run.cancel(ticketOf(A, 2)),
    force: () => run.force(a, { by: ticketOf(B, 9) }),
    renew: () => run.renew(a),
    write: () => run.write(b, { free: true, n: 2 }),
  };

  // Each of our keys is, in turn, of a type that we never write: whatever a script answers, it does all or nothing.
  describe.each(others)("%s is a stream", (key) => {
    test.each(Object.keys(calls))("[S1] %s refuses and writes nothing, or does without it", async (name) => {
      await run.acquire(a);
      await run.acquire(b, { wish: "q" });
      await run.command("DEL", key);
      await run.command("XADD", key, "*", "x", "x");
      const before = await run.everythingButStamp();
      const refused = await isRefused(calls[name]!());
      if (refused) expect(await run.everythingButStamp()).toEqual(before);
      expect(await run.command("TYPE", key)).toBe("stream");
    });

    test.each(Object.keys(sharedCalls))("[S1] %s with several holders does the same", async (name) => {
      await shares.ask(a);
      await shares.ask(b);
      await run.acquire(ticketOf(A, 2), { wish: "q" });
      await shares.ask(ticketOf(B, 2), { wish: "qr1" });
      await run.command("DEL", key);
      await run.command("XADD", key, "*", "x", "x");
      const before = await run.everythingButStamp();
      const refused = await isRefused(sharedCalls[name]!());
      if (refused) expect(await run.everythingButStamp()).toEqual(before);
      expect(await run.command("TYPE", key)).toBe("stream");
    });

    test("[S1] an acquire of a free lock does the same, but that it may take a stamp", async () => {
      await run.command("XADD", key, "*", "x", "x");
      const before = await run.everythingButStamp();
      const refused = await isRefused(run.acquire(b, { wish: "q" }));
      if (refused) expect(await run.everythingButStamp()).toEqual(before);
      expect(refused).toBe(![at.asksKey, at.doneKey(A), at.sharingKey].includes(key));
      expect(await run.command("TYPE", key)).toBe("stream");
    });
  });
});
