// Runs an example as a user would: a process of its own, on the built package.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { open } from "../../../src/index.ts";

export const root = join(import.meta.dirname, "../../..");

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Examples import the package by its name, which is what is in dist/. */
export function buildIfStale(): void {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root });
}

export function start(
  example: string,
  args: readonly string[],
  url: string,
  stdout: "pipe" | number = "pipe",
): ChildProcess {
  return spawn(process.execPath, [join("examples", example), ...args], {
    cwd: root,
    env: { ...process.env, HOLDFAST_URL: url },
    stdio: ["ignore", stdout, "pipe"],
  });
}

/** Waits until nobody holds the output any more, so that no worker is left either. */
export async function ending(child: ChildProcess): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

export async function run(example: string, args: readonly string[], url: string): Promise<Ran> {
  return ending(start(example, args, url));
}

/** The ids of all states and locks of a store. */
export async function leftIn(url: string): Promise<string[]> {
  const store = open(url);
  const ids: string[] = [];
  for await (const { id } of store.states()) ids.push(`state ${id}`);
  for await (const { id } of store.locks()) ids.push(`lock ${id}`);
  await store.close();
  return ids;
}
