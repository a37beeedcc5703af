// A Redis whose wall clock jumps while it runs: Debian's libfaketime, preloaded, reads how far the clock is off from a file
// at each look. The monotonic clock is left alone, as it is when somebody sets a machine's clock.

import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { installDebian, startRedis, type RedisOptions, type RedisServer } from "../support/redis-server.ts";

export interface ServerClock {
  readonly offsetMs: number;
  /** Resolves when the server itself tells the new time. */
  jump(byMs: number): Promise<void>;
}

export interface RedisWithClock {
  readonly server: RedisServer;
  readonly clock: ServerClock;
}

/** The library, or where to get it from, or why it cannot be had. */
export async function startRedisWithClock(options: RedisOptions = {}): Promise<RedisWithClock> {
  const library = findLibrary() ?? (await installLibrary());
  const folder = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "offset");
  const tell = (offsetMs: number): void => {
    // Renamed into place: the server must not read half of it.
    writeFileSync(`${file}.new`, `${offsetMs < 0 ? "" : "+"}${(offsetMs / 1_000).toFixed(3)}`);
    renameSync(`${file}.new`, file);
  };
  tell(0);
  const env = {
    // Debian's redis-server uses jemalloc, which asks for the time before libfaketime is ready: libc's malloc comes first.
    LD_PRELOAD: `${library} libc.so.6`,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  const server = await startRedis({ ...options, env: { ...options.env, ...env } });
  let offset = 0;
  const clock = {
    get offsetMs() {
      return offset;
    },
    async jump(byMs: number) {
      offset += byMs;
      tell(offset);
      while (!(await shows(server, offset)));
    },
  };
  if (!(await shows(server, 0))) throw new Error("redis-server does not tell the time under libfaketime.");
  return { server, clock };
}

/** Within two seconds: the machine may be busy between the two looks. Smaller jumps are believed. */
async function shows(server: RedisServer, offsetMs: number): Promise<boolean> {
  const before = Date.now();
  const [seconds = 0, micros = 0] = ((await server.command("TIME")) as string[]).map(Number);
  const told = seconds * 1_000 + micros / 1_000 - offsetMs;
  return told > before - 50 && told < Date.now() + 50;
}

function findLibrary(): string | undefined {
  const bases = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].filter((base) => existsSync(base));
  return bases
    .flatMap((base) => [base, ...readdirSync(base).map((name) => join(base, name))])
    .map((folder) => join(folder, "faketime", "libfaketimeMT.so.1"))
    .find((path) => existsSync(path));
}

async function installLibrary(): Promise<string> {
  const mayInstall = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  const installed = mayInstall ? await installDebian("libfaketime", findLibrary) : undefined;
  if (installed !== undefined) return installed;
  throw new Error(
    "A server's clock can only jump with libfaketime (Debian and Ubuntu: `apt-get install libfaketime`).",
  );
}
