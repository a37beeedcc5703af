// A wall clock that a test can set while a process runs, by Debian's libfaketime: real processes, no stubs.
// Only the wall clock is false; the monotonic clock and with it every timer goes on as it is. The clock is a file that
// the processes read anew at each look, so that several of them can share one. Does not touch the clock of the machine.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hourMs = 3_600_000;

export class FakeClock {
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  readonly #library: string;

  constructor() {
    this.#library = findLibrary() ?? installLibrary();
    this.jumpTo(0);
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

function installLibrary(): string {
  const missing =
    "The tests of clocks need libfaketime (Debian and Ubuntu: `sudo apt-get install libfaketime`)";
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) throw new Error(`${missing}.`);
  // Another test process may be installing at this time.
  const install = [
    "-o",
    "DPkg::Lock::Timeout=100",
    "install",
    "-y",
    "--no-install-recommends",
    "libfaketime",
  ];
  if (!aptGet(install)) {
    aptGet(["update"]);
    aptGet(install);
  }
  const library = findLibrary();
  if (library === undefined) throw new Error(`${missing}, and installing it failed: do it by hand.`);
  return library;
}

function aptGet(args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}
