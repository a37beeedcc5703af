// A primary with replicas behind one address, and what a failover does to them: replication is cut (what is acknowledged from
// then on is on the primary only), the primary is killed, a replica is promoted, and the address leads there.

import { setTimeout as sleep } from "node:timers/promises";

import { startRedis, type RedisOptions, type RedisServer } from "../redis-server.ts";
import { startLink, type Link } from "./link.ts";

/** Full copies begin at once instead of after five seconds. */
const quick = ["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"];

export async function startGroup(options: { replicas: number } & RedisOptions): Promise<Group> {
  const { replicas, ...rest } = options;
  const own = { ...rest, more: [...quick, ...(rest.more ?? [])] };
  const primary = await startRedis(own);
  const [endpoint, replication] = [await startLink(primary), await startLink(primary)];
  const group = new Group({ primary, endpoint, replication, options: own });
  for (let n = 0; n < replicas; n += 1) await group.addReplica();
  await group.inSync();
  return group;
}

export class Group {
  primary: RedisServer;
  readonly replicas: RedisServer[] = [];
  /** What clients connect to. */
  readonly endpoint: Link;
  /** How replicas reach whoever is the primary. */
  readonly replication: Link;
  readonly #options: RedisOptions;

  constructor(of: { primary: RedisServer; endpoint: Link; replication: Link; options: RedisOptions }) {
    this.primary = of.primary;
    this.endpoint = of.endpoint;
    this.replication = of.replication;
    this.#options = of.options;
  }

  get url(): string {
    return this.endpoint.url;
  }

  async addReplica(): Promise<void> {
    this.replicas.push(await startRedis({ ...this.#options, replicaOf: this.replication }));
  }

  /** Resolves when every replica is connected and has all that the primary has at that moment. */
  async inSync(): Promise<void> {
    const info = String(await this.primary.command("INFO", "replication"));
    const offset = Number(/master_repl_offset:(\d+)/.exec(info)?.[1]);
    for (const replica of this.replicas) while (!(await this.#has(replica, offset))) await sleep(10);
  }

  /** Nothing reaches the replicas from now on. */
  cutReplication(): void {
    this.replication.refusing = true;
    this.replication.cut();
  }

  healReplication(): void {
    this.replication.refusing = false;
  }

  /** As if its power failed; nobody takes its place yet. */
  async killPrimary(): Promise<void> {
    await this.primary.kill();
  }

  /** The replica that has most of what the primary had. */
  async mostAdvanced(): Promise<number> {
    const offsets = await Promise.all(this.replicas.map(async (replica) => this.#offsetOf(replica)));
    return offsets.indexOf(Math.max(...offsets));
  }

  /** Makes that replica the primary and leads everybody to it. The old primary's place stays empty: see `addReplica`. */
  async promote(n = 0): Promise<void> {
    const [chosen] = this.replicas.splice(n, 1);
    if (chosen === undefined) throw new Error(`there is no replica ${n}`);
    await chosen.command("REPLICAOF", "NO", "ONE");
    while (((await chosen.command("ROLE")) as string[])[0] !== "master") await sleep(5);
    const old = this.primary;
    this.primary = chosen;
    this.replication.refusing = false;
    this.replication.repoint(chosen);
    this.endpoint.repoint(chosen);
    await old.stop();
  }

  async stop(): Promise<void> {
    await this.endpoint.close();
    await this.replication.close();
    for (const server of [this.primary, ...this.replicas]) await server.stop();
  }

  async #has(server: RedisServer, offset: number): Promise<boolean> {
    const info = String(await server.command("INFO", "replication"));
    return info.includes("master_link_status:up") && offsetIn(info) >= offset;
  }

  async #offsetOf(replica: RedisServer): Promise<number> {
    return offsetIn(String(await replica.command("INFO", "replication")));
  }
}

const offsetIn = (info: string): number => Number(/slave_repl_offset:(\d+)/.exec(info)?.[1] ?? -1);
