// An instance is frozen in the middle of a request, for longer than its lease: another one does the work. When the first one
// goes on, its signal has aborted, and with its connections gone it answers the next request all the same.

import { expect, test, vi } from "vitest";

import { open } from "../../../src/index.ts";
import { startRedis } from "../../support/redis-server.ts";
import { Page } from "./page-process.ts";

vi.setConfig({ testTimeout: 120_000 });

test("a frozen instance loses the lock after its lease, and works again when it goes on", async () => {
  const [page, redis] = [new Page("serverless.md"), await startRedis()];
  const store = open(redis.url);
  const frozen = page.start(redis.url, [
    [
      /\/\/ To try it:.*$/s,
      `
      const context = { getRemainingTimeInMillis: () => 1_000 };
      console.log(JSON.stringify(await handler({ customer: "ada" }, context).catch((error) => error.name)));
      console.log(JSON.stringify(await handler({ customer: "bob" }, context)));`,
    ],
    [
      "await sleep(20,",
      'if (customer === "ada") console.log("at work"); await sleep(customer === "ada" ? 60_000 : 20,',
    ],
  ]);
  await frozen.says("at work");
  frozen.signal("SIGSTOP");
  const grant = await store.lock("sync:ada").acquire();
  await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  frozen.signal("SIGCONT");
  expect(await frozen.ended()).toBe(0);
  expect(frozen.said).toEqual(["at work", '"AbortError"', '{"statusCode":200}']);
  expect(await grant.release()).toBe(true);
  await store.close();
  await page.end();
  await redis.stop();
});
