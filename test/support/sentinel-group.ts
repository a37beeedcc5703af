// A primary, a replica and three Sentinels that watch them: real processes on free ports, gone with the process that
// started them.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createClient } from "@redis/client";

import { poll } from "./poll.ts";
import { freePort, startRedis, type RedisServer } from "./redis-server.ts";

/** What the Sentinels call the primary. */
export const groupName = "main";
/** Replicas are there at once, without a file and without waiting for more of them. */
const more = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
const sentinelCount = 3;

export class SentinelGroup {
  readonly servers: readonly [RedisServer, RedisServer];
  readonly sentinels: readonly Sentinel[];

  static async start(): Promise<SentinelGroup> {
    const primary = await startRedis({ more });
    const replica = await startRedis({ more, replicaOf: primary });
    await poll(async () => String(await primary.command("INFO", "replication"))).toContain("state=online");
    const sentinels: Sentinel[] = [];
    for (let n = 0; n < sentinelCount; n += 1) sentinels.push(await Sentinel.start(primary));
    const group = new SentinelGroup([primary, replica], sentinels);
    await group.#agreed();
    return group;
  }

  private constructor(servers: readonly [RedisServer, RedisServer], sentinels: readonly Sentinel[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** As clients name them. */
  get addresses(): { host: string; port: number }[] {
    return this.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));
  }

  /** What the Sentinels say. */
  async primary(): Promise<RedisServer> {
    const port = await this.#primaryPort();
    const found = this.servers.find((server) => server.port === port);
    if (found === undefined) throw new Error(`no server has the port ${String(port)}`);
    return found;
  }

  /** Lets the replica take over, in good order; the old primary becomes its replica. */
  async switchOver(): Promise<void> {
    const before = await this.#primaryPort();
    await poll(() => this.#ask("SENTINEL", "FAILOVER", groupName).catch(() => "")).toBe("OK");
    await poll(() => this.#primaryPort()).not.toBe(before);
  }

  async stop(): Promise<void> {
    for (const sentinel of this.sentinels) await sentinel.stop();
    for (const server of this.servers) await server.stop();
  }

  /** Each Sentinel knows the replica and the other Sentinels: a failover can be voted on. */
  async #agreed(): Promise<void> {
    for (const sentinel of this.sentinels) {
      await poll(async () => {
        const [replicas, others] = [
          await sentinel.ask("SENTINEL", "REPLICAS", groupName),
          await sentinel.ask("SENTINEL", "SENTINELS", groupName),
        ];
        return [replicas, others].map((list) => (list as unknown[]).length);
      }).toEqual([1, sentinelCount - 1]);
      // One that is asked before it is known to be good is no candidate.
      await poll(async () => String(await sentinel.ask("SENTINEL", "REPLICAS", groupName))).toMatch(
        /flags,slave,.*master-link-status,ok/,
      );
    }
  }

  async #primaryPort(): Promise<number> {
    const [, port] = (await this.#ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", groupName)) as string[];
    return Number(port);
  }

  #ask(...args: string[]): Promise<unknown> {
    const [first] = this.sentinels;
    if (first === undefined) throw new Error("there are no Sentinels");
    return first.ask(...args);
  }
}

class Sentinel {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-sentinel-"));
  readonly #child: ChildProcess;
  readonly #guard: ChildProcess;

  static async start(primary: RedisServer): Promise<Sentinel> {
    const sentinel = new Sentinel(primary, await freePort());
    await poll(() => sentinel.ask("PING").catch(() => "")).toBe("PONG");
    return sentinel;
  }

  private constructor(primary: RedisServer, port: number) {
    this.port = port;
    const config = join(this.#folder, "sentinel.conf");
    writeFileSync(config, configuration(port, primary.port));
    const log = ["--logfile", join(this.#folder, "log"), "--dir", this.#folder];
    this.#child = spawn(primary.program, [config, "--sentinel", ...log], { stdio: "ignore" });
    this.#child.unref();
    // A process that is killed cannot clean up: the guard does when its standard input ends.
    const clean = `cat; kill -9 ${String(this.#child.pid)}; rm -rf '${this.#folder}'`;
    this.#guard = spawn("sh", ["-c", clean], { stdio: ["pipe", "ignore", "ignore"] });
    this.#guard.unref();
    (this.#guard.stdin as unknown as { unref(): void }).unref();
  }

  async ask(...args: string[]): Promise<unknown> {
    const socket = { host: "127.0.0.1", port: this.port, reconnectStrategy: false } as const;
    const client = createClient({ RESP: 2, socket, disableClientInfo: true, maintNotifications: "disabled" });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  async stop(): Promise<void> {
    this.#guard.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.ref();
      this.#child.kill("SIGKILL");
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration(port: number, primary: number): string {
  const lines = [
    `port ${String(port)}`,
    "bind 127.0.0.1",
    `sentinel monitor ${groupName} 127.0.0.1 ${String(primary)} 2`,
    `sentinel down-after-milliseconds ${groupName} 1000`,
    `sentinel failover-timeout ${groupName} 5000`,
  ];
  return `${lines.join("\n")}\n`;
}
