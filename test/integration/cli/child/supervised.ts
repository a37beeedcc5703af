// A command of the command line that runs another one: what it prints as it comes, signals, and how it ends.

import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startCli, type CliOptions } from "../../../support/cli.ts";

const alive = new Set<Supervised>();
process.once("exit", () => {
  for (const one of alive) one.signal("SIGKILL");
});

export class Supervised {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options?: CliOptions) {
    const child = startCli(args, options);
    this.child = child;
    alive.add(this);
    child.stdin.on("error", () => {});
    child.stdout.on("data", (chunk) => (this.stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (this.stderr += String(chunk)));
    // "exit", not "close": what the command has started may have the outputs still.
    this.ended = once(child, "exit").then(([code, signal]) => {
      alive.delete(this);
      return (code as number | null) ?? (signal as NodeJS.Signals);
    });
  }

  /** Resolves when its outputs contain the text; returns what follows it on that line, trimmed. */
  async says(text: string): Promise<string> {
    for (;;) {
      const all = `${this.stdout}\n${this.stderr}`;
      const at = all.indexOf(text);
      const end = all.indexOf("\n", at);
      if (at >= 0 && end >= 0) return all.slice(at + text.length, end).trim();
      if (!alive.has(this)) throw new Error(`It ended without saying ${JSON.stringify(text)}: ${all}`);
      await Promise.race([
        once(this.child.stdout, "data"),
        once(this.child.stderr, "data"),
        once(this.child, "exit"),
      ]);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Kills what a test left running; the guards of killed ones end the commands. */
export async function killSupervised(): Promise<void> {
  await Promise.all(
    [...alive].map((one) => {
      one.signal("SIGKILL");
      return one.ended;
    }),
  );
}

/** A folder with a store in it, for one test file. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-run-"));
  readonly url = `sqlite:${join(this.folder, "store.db")}`;

  path(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether the process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !existsSync("/proc/self/stat") || stateOf(pid) !== "Z";
}

/** As the kernel has it: `R`, `S`, `T` (stopped), `Z`; `undefined`: there is none. */
export function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${String(pid)}/stat`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
