// Leases on SQLite are counted by the wall clock of the machine, which may be set.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { PlainStore } from "../../../src/backends/contract-plain.ts";
import { openPlainSqlite } from "../../../src/backends/sqlite/statefulpy/plain-sqlite.ts";

let folder: string;
let clock: number;
let store: PlainStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-statefulpy-"));
  clock = 1_000_000;
  store = await openPlainSqlite({ path: join(folder, "s.db"), wallMs: () => clock });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const ask = async (token: string): Promise<string> =>
  (await store.acquire("x", { token, leaseMs: 100 })).status;

test("a lease ends when it has passed, and not before; its holder renews it", async () => {
  expect(await ask("one")).toBe("granted");
  clock += 99;
  expect(await ask("two")).toBe("busy");
  expect(await store.renewLocks([{ id: "x", ticket: "one", leaseMs: 100 }])).toEqual(["renewed"]);
  clock += 99;
  expect(await ask("two")).toBe("busy");
  clock += 1;
  expect(await store.renewLocks([{ id: "x", ticket: "one", leaseMs: 100 }])).toEqual(["lost"]);
  expect(await store.save("x", Buffer.from("{}"), "one")).toBe("lost");
  expect(await store.holder("x")).toBeNull();
  expect(await ask("two")).toBe("granted");
  expect(await store.release("x", "one")).toBe(false);
  expect(await store.release("x", "two")).toBe(true);
});

test("if the clock is set back, a lease lasts for its whole length once more, and no longer", async () => {
  expect(await ask("one")).toBe("granted");
  clock -= 500_000;
  expect(await ask("two")).toBe("busy");
  clock += 99;
  expect(await ask("two")).toBe("busy");
  clock += 1;
  expect(await ask("two")).toBe("granted");
});
