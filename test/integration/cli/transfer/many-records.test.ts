// holdfast migrate with as many records as a store in use may have.

import { afterAll, beforeAll, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { runCli } from "../../../support/cli.ts";
import { contents, startStores, type Stores } from "./stores.ts";

let stores: Stores;
let redis: string;

beforeAll(async () => {
  stores = await startStores();
  redis = stores.server.url;
});
afterAll(() => stores.end());

test("10 000 records from Redis to SQLite and back", async () => {
  const file = stores.sqlite("many.db");
  const store = open(redis);
  const save = (n: number): Promise<number> =>
    store
      .state(`id:${String(n)}`, n % 10 === 0 ? { ttlMs: 3_600_000 } : {})
      .save({ n, text: "é".repeat(n % 50) });
  for (let n = 0; n < 10_000; n += 500)
    await Promise.all(Array.from({ length: 500 }, (_, index) => save(n + index)));
  await store.close();
  const before = await contents(redis);
  expect(await runCli(["migrate", "--from", redis, "--to", file])).toMatchObject({
    code: 0,
    stdout: "10000 written.\n",
  });
  await stores.server.command("FLUSHALL");
  expect(await runCli(["migrate", "--from", file, "--to", redis])).toMatchObject({
    code: 0,
    stdout: "10000 written.\n",
  });
  expect(await contents(redis)).toEqual(before);
}, 120_000);
