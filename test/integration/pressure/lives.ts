// The other end of life.ts: starts such processes, waits until they have ended by themselves, and checks what is true of
// every life: nothing left, nothing unhandled, no warning.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "vitest";

import type { RedisServer } from "../../support/redis-server.ts";
import type { LifeOptions, Report } from "./life.ts";

const script = join(import.meta.dirname, "life.ts");
/** From its last word to its end: a timer that keeps it alive would make this longer. */
const endsWithinMs = 5_000;

/** Lives one life in a process of its own. */
export async function live(name: string, options: LifeOptions): Promise<Report> {
  const args = [
    "--expose-gc",
    "--disable-warning=ExperimentalWarning",
    script,
    name,
    JSON.stringify(options),
  ];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  let told = "";
  let complaints = "";
  let toldAt = Infinity;
  child.stdin.end();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    told += chunk;
    toldAt = performance.now();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaints += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${complaints}${told}`);
  expect(performance.now() - toldAt, "it ends by itself").toBeLessThan(endsWithinMs);
  const report = JSON.parse(told) as Report;
  expect(report).toMatchObject({ left: [], unhandled: [], warnings: [] });
  console.log(`${name}: ${JSON.stringify(report.figures)} ${JSON.stringify(report.errors)}`);
  return report;
}

/** [L7] No lock, no queue, no ask; what expires by itself are receipts and the stamp, and what stays are states. */
export async function expectNothingLeft(server: RedisServer): Promise<void> {
  const kinds = (await server.keys()).map((key) => key.replace(/^holdfast:(\w+).*/s, "$1"));
  expect([...new Set(kinds)].filter((kind) => !["state", "stamp", "done"].includes(kind))).toEqual([]);
}
