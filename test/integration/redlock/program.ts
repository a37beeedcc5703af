// A process with a Redlock of its own, on ioredis. `hold`: acquires the lock "held" and tells so, and keeps it. `count`: adds
// to a file under the locks of two resources, 50 times. `quit`: does its work, ends its client, and must then end by itself.

import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

import Redlock from "../../../src/redlock/index.ts";

const [url = "", life = ""] = process.argv.slice(2);
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const client = new Redis(url);
const redlock = new Redlock([client], { retryCount: -1 });

if (life === "hold") {
  const lock = await redlock.acquire(["held"], Number(process.env["DURATION"]));
  tell({ held: lock.fences["held"] });
} else if (life === "count") {
  const file = process.env["FILE"] ?? "";
  const resources = (process.env["RESOURCES"] ?? "").split(",");
  for (let n = 0; n < 50; n += 1) {
    await redlock.using(resources, 10_000, async () => {
      const before = Number(readFileSync(file, "utf8"));
      await sleep(1);
      writeFileSync(file, String(before + 1));
    });
  }
  await redlock.quit();
} else {
  const lock = await redlock.acquire(["quit"], 10_000);
  await lock.release();
  await client.quit(); // the program's own, not redlock.quit()
  tell({ done: true });
}
