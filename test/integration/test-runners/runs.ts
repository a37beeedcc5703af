// Runs a program of this folder in a process of its own.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

/** What it printed, as JSON. Fails if it printed a warning of fake timers. */
export async function run(program: string, args: readonly string[]): Promise<unknown> {
  const path = join(import.meta.dirname, program);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--expose-gc", path, ...args], {
    timeout: 58_000, // on a busy machine; it takes 1 to 3 s
  });
  if (stderr.includes("FakeTimers")) throw new Error(stderr);
  return JSON.parse(stdout);
}
