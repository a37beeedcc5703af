// A wall clock that a test can set while a process runs, by Debian's libfaketime: real processes, no stubs.
// Only the wall clock is false; the monotonic clock and with it every timer goes on as it is. The clock is a file that
// the processes read anew at each look, so that several of them can share one. Does not touch the clock of the machine.

import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { installDebian } from "../programs/redis-program.ts";

export const hourMs = 3_600_000;

export class FakeClock {
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  readonly #library: string;

  private constructor(library: string) {
    this.#library = library;
    process.once("exit", () => this.end());
    this.jumpTo(0);
  }

  static async make(): Promise<FakeClock> {
    return new FakeClock(findLibrary() ?? (await installLibrary()));
  }

  /** The environment of a process that lives by this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      // The C library comes second: its malloc is taken instead of jemalloc's, which looks at the clock too early.
      LD_PRELOAD: `${this.#library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** From now on it is so far ahead of the true time, or behind it. */
  jumpTo(offsetMs: number): void {
    const next = `${this.#file}.next`;
    writeFileSync(next, `${offsetMs < 0 ? "-" : "+"}${String(Math.abs(offsetMs) / 1_000)}\n`);
    renameSync(next, this.#file); // nobody reads half a file
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, "offset");
  }
}

function findLibrary(): string | undefined {
  const roots = ["/usr/lib", "/usr/local/lib", "/usr/lib64"].filter((folder) => existsSync(folder));
  const folders = roots.flatMap((root) => [root, ...readdirSync(root).map((name) => join(root, name))]);
  return folders
    .map((folder) => join(folder, "faketime/libfaketimeMT.so.1"))
    .find((path) => existsSync(path));
}

async function installLibrary(): Promise<string> {
  const mayInstall = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  const installed = mayInstall ? await installDebian("libfaketime", findLibrary) : undefined;
  if (installed !== undefined) return installed;
  throw new Error(
    "A process's clock can only jump with libfaketime (Debian and Ubuntu: `apt-get install libfaketime`).",
  );
}
