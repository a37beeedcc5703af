// A primary, two replicas and three Sentinels on free ports of 127.0.0.1, which fail over within about a second.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createClient } from "@redis/client";

import { freePort, startRedis, type RedisServer } from "../redis-server.ts";

export const primaryName = "test-primary";

export interface SentinelGroupOptions {
  /** Of the Sentinels. */
  readonly password?: string;
  /** How long the primary may be silent before a Sentinel takes it for dead. Default 500. */
  readonly downAfterMs?: number;
}

/** Resolves once every Sentinel knows the others and the replicas. */
export async function startSentinels(options: SentinelGroupOptions = {}): Promise<SentinelGroup> {
  const first = await startRedis();
  const replicas = await Promise.all([startRedis({ replicaOf: first }), startRedis({ replicaOf: first })]);
  for (const replica of replicas) {
    await seen(async () =>
      String(await replica.command("INFO", "replication")).includes("master_link_status:up"),
    );
  }
  const sentinels = [];
  for (let n = 0; n < 3; n += 1) sentinels.push(await Sentinel.start(first, options));
  const group = new SentinelGroup([first, ...replicas], sentinels);
  await group.agreed();
  return group;
}

class Sentinel {
  readonly port: number;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #password: string | undefined;

  private constructor(of: {
    port: number;
    folder: string;
    child: ChildProcess;
    password: string | undefined;
  }) {
    this.port = of.port;
    this.#folder = of.folder;
    this.#child = of.child;
    this.#password = of.password;
  }

  static async start(primary: RedisServer, options: SentinelGroupOptions): Promise<Sentinel> {
    const { password, downAfterMs = 500 } = options;
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "holdfast-sentinel-"));
    const conf = join(folder, "sentinel.conf");
    const lines = [
      `port ${String(port)}`,
      "bind 127.0.0.1",
      `dir ${folder}`,
      `sentinel monitor ${primaryName} 127.0.0.1 ${String(primary.port)} 2`,
      `sentinel down-after-milliseconds ${primaryName} ${String(downAfterMs)}`,
      `sentinel failover-timeout ${primaryName} 2000`,
      ...(password === undefined ? [] : [`requirepass ${password}`, `sentinel sentinel-pass ${password}`]),
    ];
    writeFileSync(conf, `${lines.join("\n")}\n`);
    const child = spawn(primary.program, [conf, "--sentinel"], { stdio: "ignore" });
    process.once("exit", () => child.kill("SIGKILL"));
    return new Sentinel({ port, folder, child, password });
  }

  async command(...args: string[]): Promise<unknown> {
    const client = createClient({
      RESP: 2,
      socket: { host: "127.0.0.1", port: this.port, reconnectStrategy: false },
      ...(this.#password === undefined ? {} : { password: this.#password }),
      disableClientInfo: true,
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  /** The fields of SENTINEL MASTER. */
  async view(): Promise<Map<string, string>> {
    const flat = (await this.command("SENTINEL", "MASTER", primaryName)) as string[];
    return new Map(flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1] ?? ""] as const] : [])));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "exit");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class SentinelGroup {
  readonly #servers: RedisServer[];
  readonly sentinels: readonly Sentinel[];

  constructor(servers: RedisServer[], sentinels: readonly Sentinel[]) {
    this.#servers = servers;
    this.sentinels = sentinels;
  }

  /** As the user of docs/redis.md. */
  get url(): string {
    return this.urlWith({});
  }

  urlWith({ name = primaryName, query = "" }: { name?: string; query?: string }): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${String(port)}`).join(",");
    return `redis+sentinel://${this.#servers[0]?.credentials ?? ""}@${hosts}/${name}${query}`;
  }

  /** What all Sentinels take for the primary. */
  async primary(): Promise<RedisServer> {
    const [sentinel] = this.sentinels;
    const port = Number((await sentinel?.view())?.get("port"));
    const found = this.#servers.find((server) => server.port === port);
    if (found === undefined) throw new Error(`no server of the group has port ${String(port)}`);
    return found;
  }

  /** A planned failover: nothing is killed. */
  async failOver(): Promise<void> {
    const old = await this.primary();
    await this.sentinels[0]?.command("SENTINEL", "FAILOVER", primaryName);
    await this.#movedFrom(old);
  }

  /** The primary is killed; resolves when the Sentinels have made a replica the primary. */
  async killPrimary(): Promise<void> {
    const old = await this.primary();
    await old.kill();
    await this.#movedFrom(old);
  }

  /** All Sentinels see the primary, its replicas, and each other. */
  async agreed(): Promise<void> {
    for (const sentinel of this.sentinels) {
      await seen(async () => {
        const view = await sentinel.view().catch(() => new Map<string, string>());
        const seen = ["num-slaves", "num-other-sentinels", "flags"].map((field) => view.get(field));
        return seen.join() === "2,2,master";
      });
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.stop()));
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  async #movedFrom(old: RedisServer): Promise<void> {
    for (const sentinel of this.sentinels) {
      await seen(async () => (await sentinel.view()).get("port") !== String(old.port));
    }
  }
}

async function seen(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
}
