// Two instances: one leads. When it is killed, or stopped for longer than its lease, the other one does; SIGTERM ends both in
// good order.

import { expect, test } from "vitest";

import { onEachStore } from "./on-each-store.ts";

const lively = [
  [/.*only here.*\n/, ""],
  ['leader("orders-feed")', 'leader("orders-feed", { leaseMs: 1_000 })'],
  ["await sleep(1_000", "await sleep(10"],
] as const;

/** A process that is stopped inside a transaction of SQLite holds the file: so this one stops itself, between two. */
const stopsOnce = [
  ["await pollOnce(term);", 'await pollOnce(term); if (polls++ === 3) process.kill(process.pid, "SIGSTOP");'],
  ["const shutdown", "let polls = 0;\nconst shutdown"],
] as const;

onEachStore("leader.md", (setting) => {
  test("the leader is killed: the other one leads, and ends at SIGTERM", async () => {
    const { page, backend } = setting();
    const first = page.start(backend.url, lively);
    await first.says("leading");
    const second = page.start(backend.url, lively);
    first.signal("SIGKILL");
    await second.says("leading");
    second.signal("SIGTERM");
    expect(await second.ended()).toBe(0);
    expect(second.said).toEqual(["leading", "stopped"]);
    expect(second.warned.filter((line) => line.includes("failed"))).toEqual([]);
  });

  test("the leader is stopped for longer than its lease: the other one leads, then the first one again", async () => {
    const { page, backend } = setting();
    const first = page.start(backend.url, [...stopsOnce, ...lively]);
    await first.says("leading");
    const second = page.start(backend.url, lively);
    await second.says("leading");
    first.signal("SIGCONT");
    second.signal("SIGTERM");
    expect(await second.ended()).toBe(0);
    await first.says("leading", 2);
    first.signal("SIGTERM");
    expect(await first.ended()).toBe(0);
    expect(first.said).toEqual(["leading", "leading", "stopped"]);
  });
});
