// The three small examples: the README's first code, as programs.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { open } from "../../../src/index.ts";
import { buildIfStale, ending, leftIn, run, start } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-examples-"));
const url = `sqlite:${join(folder, "store.db")}`;

beforeAll(buildIfStale);
afterAll(() => rmSync(folder, { recursive: true }));

test("stock: sells what there is, and no more", async () => {
  expect(await output("stock.ts")).toBe("Sold one; 499 left now.\n");
  const store = open(url);
  await store.state("stock:42").save({ left: 1 });
  const sales = await Promise.all([output("stock.ts"), output("stock.ts")]);
  expect(sales.sort()).toEqual(["Sold one; 0 left now.\n", "Sold out.\n"]);
  expect(await store.state("stock:42").load()).toEqual({ left: 0 });
  await store.close();
});

test("invoice-lock: the second begins when the first has ended, and has the higher fence", async () => {
  const log = join(folder, "sent.log"); // one file for both, so that it shows who wrote first
  const output = openSync(log, "a");
  const both = [1, 2].map(() => ending(start("invoice-lock.ts", [], url, output)));
  for (const { code, stderr } of await Promise.all(both)) expect([code, stderr]).toEqual([0, ""]);
  closeSync(output);
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const fences = lines.map((line) => Number(/\d+$/.exec(line)?.[0]));
  const [first, , second] = fences;
  expect(lines).toEqual(
    [first, second].flatMap((fence) => [`sending, fence ${fence}`, `sent, fence ${fence}`]),
  );
  expect(second).toBeGreaterThan(first!);
  expect(await leftIn(url)).not.toContain("lock invoice:7");
});

test("invoice-number: goes on where it ended, without gaps, whoever asks", async () => {
  const printed = await Promise.all([output("invoice-number.ts"), output("invoice-number.ts")]);
  const numbers = printed.flatMap((text) => text.trim().split("\n"));
  const sorted = numbers.sort();
  expect(sorted).toEqual(["2026-1", "2026-2", "2026-3", "2026-4", "2026-5", "2026-6"]);
  expect(await output("invoice-number.ts")).toBe("2026-7\n2026-8\n2026-9\n");
});

async function output(example: string): Promise<string> {
  const { code, stdout, stderr } = await run(example, [], url);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout;
}
