// Real Redis servers for tests: each on a free port of 127.0.0.1, in a folder of its own, gone with the process that
// started it, however that ends. The library under test logs in as the least-privileged user of docs/redis.md. Finds
// redis-server or valkey-server in the folders of PATH, or takes what HOLDFAST_TEST_SERVER names, or installs Debian's
// package where it may.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { createClient } from "@redis/client";

import { appLine, appUser } from "./acl.ts";
import { findRedis, installRedis } from "./programs/redis-program.ts";

export interface RedisOptions {
  /** Of the default user. */
  readonly password?: string;
  /** What the user of docs/redis.md may work with; by default the library's own prefix. */
  readonly prefixes?: readonly string[];
  /** More rights of that user, such as those that the page adds for a cluster. */
  readonly rights?: readonly string[];
  /** More lines of the ACL file, such as `user other on >secret ~x:* +@all`. */
  readonly acl?: readonly string[];
  readonly maxmemory?: string;
  readonly appendonly?: boolean;
  readonly replicaOf?: { readonly port: number };
  /** More arguments for the command line. */
  readonly more?: readonly string[];
  /** More variables for its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether there are users other than the default one; Redis before 6.2 does not know the rules of docs/redis.md. */
  readonly withUsers?: boolean;
}

/** Starts a server and waits until it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const program = findRedis() ?? (await installRedis());
  const server = new RedisServer(program, options);
  await server.start();
  return server;
}

const running = new Set<RedisServer>();
process.once("exit", () => {
  for (const server of running) server.end();
});

export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-redis-"));
  readonly program: string;
  readonly #options: RedisOptions;
  #port = 0;
  #child: ChildProcess | undefined;
  #guard: ChildProcess | undefined;

  constructor(program: string, options: RedisOptions) {
    this.program = program;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  /** As the user of docs/redis.md, who may do just what the library needs. */
  get url(): string {
    return `redis://${this.credentials}@127.0.0.1:${String(this.#port)}`;
  }

  readonly credentials: string = `${appUser.name}:${appUser.password}`;

  /** As the default user, who may do everything: for the tests' own commands, never for the library under test. */
  get adminUrl(): string {
    const { password } = this.#options;
    return `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${String(this.#port)}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    running.add(this);
    for (let tries = 1; ; tries += 1) {
      if (this.#port === 0) this.#port = await freePort();
      try {
        await this.#launch();
        return;
      } catch (error) {
        if (tries === 5) throw error;
        if (tries < 3) continue; // the port may still be on its way to being free
        this.#port = 0;
      }
    }
  }

  /** Ends it in good order, and removes what it wrote. */
  async stop(): Promise<void> {
    await this.#kill("SIGKILL");
    this.end();
  }

  /** As if the power failed. */
  kill(): Promise<void> {
    return this.#kill("SIGKILL");
  }

  /** On the same port, with what it had kept on disk or with nothing. */
  async restart(memory: "empty" | "keep"): Promise<void> {
    if (memory === "keep" && this.#child !== undefined) await this.command("SAVE");
    await this.#kill("SIGKILL");
    if (memory === "empty") {
      for (const name of ["dump.rdb", "appendonlydir", "appendonly.aof"]) {
        rmSync(join(this.folder, name), { recursive: true, force: true });
      }
    }
    await this.start();
  }

  /** Nothing is answered from here on, and nothing is refused: the machine hangs. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** One command over a connection of its own, as the default user. */
  async command(...args: string[]): Promise<unknown> {
    const { password } = this.#options;
    const client = createClient({
      RESP: 2,
      socket: { host: "127.0.0.1", port: this.#port, reconnectStrategy: false },
      ...(password === undefined ? {} : { password }),
      disableClientInfo: true,
      maintNotifications: "disabled",
    });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  /** How often each command was called, by the server's own count: `evalsha`, `script|load` … */
  async calls(): Promise<Record<string, number>> {
    const info = String(await this.command("INFO", "commandstats"));
    const lines = info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
    return Object.fromEntries([...lines].map(([, name, calls]) => [name ?? "", Number(calls)]));
  }

  async keys(): Promise<string[]> {
    return ((await this.command("KEYS", "*")) as string[]).sort();
  }

  /** For the end of the process: at once, and without waiting. */
  end(): void {
    running.delete(this);
    this.#child?.kill("SIGKILL");
    this.#guard?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#guard?.kill("SIGKILL");
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.ref();
    child.kill(signal);
    await exited;
  }

  async #launch(): Promise<void> {
    const env = { ...process.env, ...this.#options.env };
    const child = spawn(this.program, this.#arguments(), { stdio: "ignore", env });
    child.unref();
    this.#child = child;
    // A process that is killed cannot clean up: the guard does when its standard input ends.
    const clean = `cat; kill -9 ${String(child.pid)}; rm -rf '${this.folder}'`;
    this.#guard = spawn("sh", ["-c", clean], { stdio: ["pipe", "ignore", "ignore"] });
    this.#guard.unref();
    (this.#guard.stdin as unknown as { unref?(): void }).unref?.(); // Bun's has none
    await this.#answering(child);
  }

  async #answering(child: ChildProcess): Promise<void> {
    const failed = (): boolean => child.exitCode !== null || child.signalCode !== null;
    for (const until = performance.now() + 20_000; performance.now() < until;) {
      if (failed()) break;
      if (await answers(this.#port)) return;
      await sleep(10);
    }
    await this.#kill("SIGKILL");
    throw new Error(`${this.program} did not start:\n${readLog(join(this.folder, "log"))}`);
  }

  #arguments(): string[] {
    const { maxmemory, appendonly, replicaOf, more } = this.#options;
    const args = ["--port", String(this.#port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    args.push("--logfile", join(this.folder, "log"));
    if (this.#options.withUsers !== false) args.push("--aclfile", this.#writeUsers());
    if (maxmemory !== undefined) args.push("--maxmemory", maxmemory);
    if (appendonly === true) args.push("--appendonly", "yes", "--appendfsync", "always");
    if (replicaOf !== undefined) args.push("--replicaof", "127.0.0.1", String(replicaOf.port));
    return [...args, ...(more ?? [])];
  }

  #writeUsers(): string {
    const { password, acl = [], prefixes = ["holdfast:"], rights } = this.#options;
    const file = join(this.folder, "users.acl");
    const first = password === undefined ? "nopass" : `>${password}`;
    const users = [`user default on ${first} ~* &* +@all`, appLine(prefixes, rights), ...acl];
    writeFileSync(file, `${users.join("\n")}\n`);
    return file;
  }
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Whether a server has finished loading: it has if it replies anything but LOADING. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const say = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.on("data", (data) => say(!data.toString().startsWith("-LOADING")));
    socket.on("error", () => say(false));
    socket.setTimeout(1_000, () => say(false));
  });
}

function readLog(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "(no log)";
}
