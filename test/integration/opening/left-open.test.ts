// What becomes of stores that no code closes: after the garbage collection, and when a watcher starts the program again.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createClient } from "@redis/client";
import { open } from "../../../src/index.ts";
import { buildIfStale, ending, root } from "../../project/examples/run.ts";
import { poll } from "../../support/poll.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const program = join(import.meta.dirname, "left-open-program.ts");
const folder = mkdtempSync(join(tmpdir(), "holdfast-left-open-"));
const atLeastOne = expect.toSatisfy((n: number) => n > 0) as number;
let redis: RedisServer;

beforeAll(async () => {
  buildIfStale();
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true });
});

async function run(target: string, mode: string) {
  const ran = await ending(
    spawn(process.execPath, ["--expose-gc", program, target, mode], { cwd: root, stdio: "pipe" }),
  );
  expect(ran.code, ran.stderr).toBe(0);
  return { ...ran, printed: JSON.parse(ran.stdout) as unknown };
}

describe.each([
  ["redis", () => redis.url],
  ["sqlite", () => `sqlite:${join(folder, "left-open.db")}`],
])("on %s", (kind, target) => {
  test("50 stores that were used and not closed leave nothing once they were collected", async () => {
    const { printed, stderr } = await run(target(), "many");
    expect(printed).toEqual({ before: atLeastOne, after: 0, listeners: 0 });
    expect(stderr).toContain("[many-stores] HoldfastWarning");
    expect(stderr.match(/HoldfastWarning/g)).toHaveLength(1);
    if (kind === "redis") expect(stderr).not.toContain(new URL(redis.url).password || "\0");
  });

  test("nor do those with listeners that refer to them, or with closeOn", async () => {
    const { printed } = await run(target(), "listened to");
    expect(printed).toEqual({ before: atLeastOne, after: 0, listeners: 0 });
  });

  test("closeOn releases what a collected store holds", async () => {
    const ran = await ending(
      spawn(process.execPath, ["--expose-gc", program, target(), "at a signal"], {
        cwd: root,
        stdio: "pipe",
      }),
    );
    expect(ran.stdout).toContain("The process ends");
    const store = open(target());
    expect(await store.lock("held").inspect()).toBeNull();
    await store.close();
  });

  test("a store goes on while there is a grant, a handle or a function of it", async () => {
    const { printed, stderr } = await run(target(), "held");
    expect(printed).toEqual({ isHeld: true, got: "served", called: 1, released: true });
    expect(stderr).toBe("");
  });
});

test("node --watch leaves no connection behind when it starts the program again", async () => {
  const watched = join(folder, "watched.mjs");
  writeFileSync(
    watched,
    `import { open } from ${JSON.stringify(join(root, "dist/index.js"))};
     await open(process.env.HOLDFAST_URL).ready();
     setInterval(() => undefined, 60_000);
     console.log("ready");`,
  );
  const admin = await createClient({ url: redis.adminUrl }).connect();
  const connections = async (): Promise<number> =>
    (await admin.clientList()).filter(({ user }) => user !== "default").length;
  const child = spawn(process.execPath, ["--watch", watched], {
    env: { ...process.env, HOLDFAST_URL: redis.url },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let starts = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (starts += text.split("ready").length - 1));
  try {
    for (const round of [1, 2, 3]) {
      await poll(() => starts).toBe(round);
      await poll(connections).toBe(2);
      utimesSync(watched, new Date(), new Date());
    }
  } finally {
    child.kill();
    await once(child, "exit");
    await poll(connections).toBe(0);
    await admin.close();
  }
});
