// The kit's own tests: each fault is seen from outside, on a real server or process.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import * as kit from "./index.ts";

vi.setConfig({ testTimeout: 60_000 });

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function connect(url: string): Store {
  const store = open(url);
  ends.push(() => store.close({ drainMs: 0 }));
  return store;
}

test("a crash: with an append-only file nothing is missing, with a snapshot what came later is, empty is empty", async () => {
  const kept: unknown[] = [];
  for (const [appendonly, memory] of [
    [true, "disk"],
    [false, "disk"],
    [false, "empty"],
  ] as const) {
    const server = await kit.startRedis({ appendonly });
    ends.push(() => server.stop());
    await server.command("SET", "early", "1");
    await kit.snapshot(server);
    await server.command("SET", "late", "1");
    await kit.crash(server, memory);
    kept.push((await server.keys()).join(" "));
  }
  expect(kept).toEqual(["early late", "early", ""]);
});

test("a server's clock jumps while it runs, there and back", async () => {
  const { server, clock } = await kit.startRedisWithClock();
  ends.push(() => server.stop());
  await server.command("SET", "key", "1", "PX", "600000");
  await clock.jump(-60_000);
  expect(Number(await server.command("PTTL", "key"))).toBeGreaterThan(640_000);
  await clock.jump(3_600_000);
  expect(await server.keys()).toEqual([]);
  expect(clock.offsetMs).toBe(3_540_000);
});

test("a failover: what was written with replication cut is not there any more, what was in sync is", async () => {
  const group = await kit.startGroup({ replicas: 2 });
  ends.push(() => group.stop());
  const state = connect(group.url).state("x", { initial: () => [] as string[] });
  await state.update((ids) => void ids.push("kept"));
  await group.inSync();
  group.cutReplication();
  await state.update((ids) => void ids.push("lost"));
  await group.killPrimary();
  await group.promote(1);
  await state.update((ids) => void ids.push("after"));
  expect(await state.load()).toEqual(["kept", "after"]);
  await group.addReplica();
  await group.inSync();
});

test("a link: hangs and delivers late, delays, narrows, refuses, leads elsewhere", async () => {
  const [one, two] = [await kit.startRedis(), await kit.startRedis()];
  const link = await kit.startLink(one);
  ends.push(
    () => one.stop(),
    () => two.stop(),
    () => link.close(),
  );
  const state = connect(link.url).state<string>("x");
  await state.save("first");
  link.hanging = true;
  let answered = false;
  const late = state.save("second").then(() => (answered = true));
  expect(await connect(one.url).state("x").load()).toBe("first");
  expect(answered).toBe(false);
  link.hanging = false;
  await late;
  link.delayMs = 100;
  const from = performance.now();
  await state.load();
  expect(performance.now() - from).toBeGreaterThan(195);
  link.delayMs = 0;
  link.bytesPerSecond = 10_000;
  await state.save("x".repeat(3_000));
  expect(performance.now() - from).toBeGreaterThan(495);
  link.bytesPerSecond = Infinity;
  link.repoint(two);
  expect(await state.load()).toBeUndefined();
  link.refusing = true;
  link.cut();
  await expect(connect(link.url).ready()).rejects.toMatchObject({ code: "UNREACHABLE" });
});

test("processes stop, go on and die when the kit says so; a faked wall clock jumps, the monotonic one does not", async () => {
  const child = spawn("sh", ["-c", "while :; do echo .; sleep 0.01; done"]);
  const pid = child.pid ?? 0;
  await once(child.stdout, "data");
  await kit.stopProcess(pid);
  await kit.continueProcess(pid);
  await once(child.stdout, "data");
  const ended = once(child, "exit");
  await kit.killProcess(pid);
  expect(await ended).toEqual([null, "SIGKILL"]);

  const [wall, monotonic] = [Date.now(), performance.now()];
  const clock = kit.fakeWallClock();
  clock.jump(3_600_000);
  expect(new Date().getTime() - wall).toBeGreaterThanOrEqual(3_600_000);
  expect(new Date(0).getTime()).toBe(0);
  expect(performance.now() - monotonic).toBeLessThan(60_000);
  clock.restore();
  expect(Date.now() - wall).toBeLessThan(60_000);
});
