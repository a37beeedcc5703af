// States: what commit and write have in common, touch, load and describe: reply by reply, on a real server.

import { describe, expect, test } from "vitest";

import * as at from "./script-arguments.ts";
import { A, ticketOf, type Change, type Reply } from "./script-arguments.ts";
import { type ScriptRunner, withScripts } from "./script-runner.ts";

const a = ticketOf(A);
const past2090 = 3_800_000_000_000_000;

let run: ScriptRunner;
withScripts((runner) => (run = runner));

const words = (reply: Reply): string[] => String(reply).split(" ");
const stored = (): Promise<Reply> => run.command("GET", at.stateKey);
let turns = 1_000;
const nextTicket = (): string => ticketOf(A, (turns += 1));
const life = async (): Promise<number> => Number(await run.command("PTTL", at.stateKey));

/** Both scripts that change a state, as one who holds the lock, so that the same is asked of both. */
const writers: Record<string, (change: Change) => Promise<Reply>> = {
  commit: async (change) => {
    const ticket = nextTicket();
    await run.acquire(ticket);
    const reply = await run.commit(ticket, change);
    await run.cancel(ticket, { slot: 0, n: Number(ticket.split(":")[3]) });
    return reply;
  },
  "write under a ticket": async (change) => {
    const ticket = nextTicket();
    await run.acquire(ticket);
    const reply = await run.write(ticket, change);
    await run.expire();
    return reply;
  },
  "write of a free lock": (change) => run.write(nextTicket(), { ...change, free: true }),
};

describe.each(Object.entries(writers))("%s", (_name, write) => {
  test("[S2] [S6] a save says how to read it, and its revision", async () => {
    const before = await run.now();
    const revision = words(await write({ bytes: "a\nb\u0000" }))[1];
    expect(Number(revision)).toBeGreaterThan(before);
    expect(await stored()).toBe(`hf1 ${String(revision)} json\na\nb\u0000`);
  });

  test("[S2] revisions rise across saves, delete, and the loss of the stamp", async () => {
    const revisions: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      revisions.push(Number(words(await write({}))[1]));
      if (turn === 1) await write({ kind: "delete" });
      if (turn === 2) await run.command("DEL", at.stampKey);
      if (turn === 3) await run.command("SET", at.stampKey, "17");
      if (turn === 4) await run.command("FLUSHALL");
    }
    expect(revisions).toEqual([...new Set(revisions)].sort((one, two) => one - two));
  });

  test("[S2] the revision of the state, and what the client saw, are floors", async () => {
    await run.command("SET", at.stateKey, `hf1 ${String(past2090)} json\nold`);
    expect(words(await write({}))[1]).toBe(String(past2090 + 1));
    expect(words(await write({ seen: past2090 + 50 }))[1]).toBe(String(past2090 + 51));
  });

  test("[S2] ifRevision: anything else is a conflict, and nothing is written", async () => {
    expect(await write({ ifRevision: "7" })).toBe("conflict absent");
    expect(await write({ kind: "delete", ifRevision: "7" })).toBe("conflict absent");
    const revision = words(await write({ ifRevision: "absent" }))[1] ?? "";
    const before = await stored();
    expect(await write({ ifRevision: "absent" })).toBe(`conflict ${revision}`);
    expect(await write({ ifRevision: "7" })).toBe(`conflict ${revision}`);
    expect(await write({ kind: "delete", ifRevision: "absent" })).toBe(`conflict ${revision}`);
    expect(await stored()).toBe(before);
    expect(words(await write({ ifRevision: revision }))[1]).toMatch(/^\d+$/);
  });

  test("[S7] the life of a state is set, kept or ended with the value", async () => {
    await write({ ttl: "keep" });
    expect(await life()).toBe(-1);
    await write({ ttl: "5000" });
    expect(await life()).toBeGreaterThan(4_900);
    await run.command("PEXPIRE", at.stateKey, "3000");
    await write({ ttl: "keep" });
    expect(await life()).toBeGreaterThan(2_900);
    expect(await life()).toBeLessThanOrEqual(3_000);
    await write({ ttl: "none" });
    expect(await life()).toBe(-1);
    await write({ ttl: "new:5000" });
    expect(await life()).toBe(-1);
    await run.command("DEL", at.stateKey);
    await write({ ttl: "new:5000" });
    expect(await life()).toBeGreaterThan(4_000);
    await run.command("PEXPIRE", at.stateKey, "3000");
    await write({ ttl: "new:5000" });
    expect(await life()).toBeLessThanOrEqual(3_000);
  });

  describe("a large value, sent ahead", () => {
    const staged = `${at.prefix}sent:{x}:1`;
    const send = (): Promise<Reply> =>
      run.command("SET", staged, `hf1 ${"0".repeat(16)} json\nlarge`, "PX", "60000");

    test("[S2] [S7] is put in place with its revision; nothing is left of it, and the life is as asked", async () => {
      for (const [ttl, low, high] of [
        ["none", -1, -1],
        ["5000", 4_000, 5_000],
        ["keep", 4_000, 5_000],
        ["none", -1, -1],
        ["keep", -1, -1],
        ["new:5000", -1, -1],
        ["3000", 2_000, 3_000],
        ["new:5000", 1_000, 3_000],
      ] as const) {
        await send();
        const revision = words(await write({ bytes: "", staged, ttl }))[1];
        expect(await stored()).toBe(`hf1 ${String(revision)} json\nlarge`);
        expect(await life()).toBeGreaterThanOrEqual(low);
        expect(await life()).toBeLessThanOrEqual(high);
        expect(await run.command("EXISTS", staged)).toBe(0);
      }
    });

    test("[S7] has the life of a new state where none is there", async () => {
      await send();
      await write({ bytes: "", staged, ttl: "new:5000" });
      expect(await life()).toBeGreaterThan(3_000);
      expect(await life()).toBeLessThanOrEqual(5_000);
    });

    test("[S6] a refused one changes nothing, and nothing is left of it", async () => {
      await write({ bytes: "before" });
      const before = await stored();
      await send();
      expect(words(await write({ bytes: "", staged, ifRevision: "1" }))[0]).toBe("conflict");
      expect(await stored()).toBe(before);
      expect(await run.command("EXISTS", staged)).toBe(0);
    });

    test("[S2] one that is not there is not saved, and nothing else is done", async () => {
      await write({ bytes: "before" });
      const before = await stored();
      const reply = await write({ bytes: "", staged }).catch(String);
      expect(reply).toMatch(/STAGED/);
      expect(await stored()).toBe(before);
    });
  });

  test("a delete leaves nothing, and may be done to what is absent", async () => {
    expect(await write({ kind: "delete" })).toMatch(/^(released -|deleted( -)?)$/);
    await write({});
    expect(await write({ kind: "delete" })).toMatch(/^(released -|deleted( -)?)$/);
    expect(await run.command("EXISTS", at.stateKey)).toBe(0);
  });

  test.each([
    ["hf2 5 json\nnew", "unreadable format hf2"],
    ["not ours", "unreadable data that Holdfast did not write"],
    ["", "unreadable data that Holdfast did not write"],
    ["hf1 5 json", "unreadable data that Holdfast did not write"], // truncated
    ["hf1 x json\n", "unreadable data that Holdfast did not write"],
    ['hf1 5 other\n"x"', 'unreadable a state of the serializer "other"'],
  ])("[S6] over %j nothing is saved", async (present, reply) => {
    await run.command("SET", at.stateKey, present);
    expect(await write({})).toBe(reply);
    expect(await stored()).toBe(present);
    if (!present.startsWith("hf1 5 other")) expect(await write({ kind: "delete" })).toBe(reply);
  });

  test("[S6] over another type nothing is saved", async () => {
    await run.command("RPUSH", at.stateKey, "x");
    expect(await write({})).toBe("unreadable a Redis list");
    expect(await run.command("TYPE", at.stateKey)).toBe("list");
  });
});

describe("touch, load, describe and probe", () => {
  test("[S7] touch sets a new life of what is there and readable", async () => {
    expect(await run.touch(5_000, { n: 2 })).toBe("absent");
    await run.write(a, { free: true, slot: 7 });
    expect(await run.touch(5_000, { n: 3 })).toBe("touched");
    expect(await life()).toBeGreaterThan(4_900);
    const [, revision = ""] = String(await stored()).split(" ");
    expect(await run.touch(9_000, { n: 4, ifRevision: "7" })).toBe(`conflict ${revision}`);
    expect(await life()).toBeLessThan(5_001);
    expect(await run.touch("none", { n: 5, ifRevision: revision })).toBe("touched");
    expect(await life()).toBe(-1);
    expect(await run.touch(`until:${String(Date.now() + 50_000)}`, { n: 6 })).toBe("touched");
    expect(await life()).toBeGreaterThan(40_000);
    expect(await run.touch("until:1", { n: 7 })).toBe("touched");
    expect(await stored()).toBeNull();
    expect(await run.touch(5_000, { n: 8, ifRevision: revision })).toBe("conflict absent");
    await run.command("SET", at.stateKey, "hf9 1 json\n");
    expect(await run.touch(5_000, { n: 9 })).toBe("unreadable format hf9");
    expect(await life()).toBe(-1);
  });

  test("[S5] touch is done once; late copies and lost receipts are told apart", async () => {
    await run.write(a, { free: true, slot: 7 });
    expect(await run.touch(5_000, { n: 3 })).toBe("touched");
    await run.write(a, { free: true, slot: 7, n: 2, ttl: "none" });
    expect(await run.touch(5_000, { n: 3 })).toBe("touched");
    expect(await life()).toBe(-1); // that was the answer of before, and no more
    expect(await run.touch(5_000, { n: 2 })).toBe("forgotten");
    expect(await run.touch(5_000, { n: 4, proof: [9, 1] })).toBe("forgotten");
  });

  test("[S1] load brings the bytes and their life", async () => {
    const load = (): Promise<Reply> => run.run("load", [at.stateKey], []);
    expect(await load()).toEqual([null, -2]);
    await run.write(a, { free: true, ttl: "5000" });
    expect(await load()).toEqual([await stored(), expect.any(Number)]);
    await run.command("DEL", at.stateKey);
    await run.command("SADD", at.stateKey, "x");
    await expect(load()).rejects.toThrow(/WRONGTYPE/);
  });

  test("[S6] describe tells what is absent from what is no string, and stops at its limit", async () => {
    const others = ["t:state:{gone}", "t:state:{y}"];
    const describeAll = (values = "", limit = "1000"): Promise<Reply> =>
      run.run("describe", ["t:index", at.stateKey, ...others], ["3", values, limit]);
    expect(await describeAll()).toEqual([0, 0, 0]);
    await run.write(a, { free: true, bytes: "x".repeat(500) });
    await run.command("SET", "t:state:{y}", "y", "PX", "5000");
    const whole = String(await stored());
    const y = ["y", 1, expect.any(Number)];
    expect(await describeAll()).toEqual([[whole.slice(0, 128), whole.length, -1], 0, y]);
    expect(await describeAll("1")).toEqual([[whole, whole.length, -1], 0, y]);
    expect(await describeAll("1", "500")).toEqual([[whole, whole.length, -1]]);
    await run.command("DEL", at.stateKey);
    await run.command("SADD", at.stateKey, "x");
    expect(await describeAll("1")).toEqual(["set", 0, y]);
    await run.command("SET", at.stateKey, "");
    expect(await describeAll()).toEqual([["", 0, -1], 0, y]);
  });

  test("the probe leaves nothing", async () => {
    expect(await run.run("probe", ["t:probe:{x}", "t:stamp"], ["t:wake:x", "t:probe:{x}:undeclared"])).toBe(
      "ready",
    );
    expect(await run.everything()).toEqual({});
  });
});
