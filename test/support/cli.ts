// The command line in a process of its own, as users run it.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import type { Command } from "../../src/cli/command.ts";
import { exitCodeOf } from "../../src/cli/exit-codes.ts";
import { parseCall } from "../../src/cli/parse-call.ts";

/** What Node compiles is kept from one process to the next: a third of the time. */
const cache = { NODE_COMPILE_CACHE: join(tmpdir(), "holdfast-cli-compiled") };

const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Other arguments for Node, in the place of the program. */
  readonly instead?: readonly string[];
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts it and leaves it running. Neither HOLDFAST_URL nor NODE_ENV of this process is passed on. */
export function startCli(
  args: readonly string[],
  { env, cwd, instead = [main] }: CliOptions = {},
): ChildProcessWithoutNullStreams {
  const { HOLDFAST_URL: _url, NODE_ENV: _env, ...inherited } = process.env;
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...instead, ...args], {
    env: { ...inherited, ...cache, ...env },
    cwd,
  });
}

/** Runs it to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startCli(args, options);
  child.stdin.end(options.input);
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, signal, stdout, stderr };
}

/** What a command refuses, in this process: its exit code, and the text that it would show. */
export async function failureOf(
  command: Command,
  args: readonly string[],
): Promise<{ readonly code: number; readonly text: string }> {
  try {
    const call = parseCall(command, args);
    if (call !== undefined) await command.run(call);
  } catch (error) {
    return { code: exitCodeOf(error), text: String(error) };
  }
  throw new Error(`it did not fail: ${args.join(" ")}`);
}
