// A Redis Cluster of three primaries and three replicas on free ports of 127.0.0.1, which promotes a replica within a few
// seconds, and what happens to clusters: slots that move, at once or key by key, nodes that die, hang, or change places.

import { documentedClusterRights } from "../acl.ts";
import { freePort, startRedis, type RedisOptions, type RedisServer } from "../redis-server.ts";
import {
  isInSync,
  isPrimary,
  isWhole,
  isWorking,
  owns,
  seen,
  viewsOf,
  type NodeView,
} from "./cluster-nodes.ts";

export interface ClusterOptions extends RedisOptions {
  /** How long a node may be silent before the others call it failed. Default 2 000. */
  readonly nodeTimeoutMs?: number;
}

/** The node timeout while a cluster is put together. */
const quickMs = 2_000;
const slotCount = 16_384;
const primaryCount = 3;
/** The tag of the library's default prefix on a cluster. */
const defaultKey = "{holdfast}:";

/** ARGV: the slot, the id of its next owner, and that one's host and port. */
const giveAway = `
local keys = redis.call("CLUSTER", "GETKEYSINSLOT", ARGV[1], "5000")
if #keys > 0 then redis.call("MIGRATE", ARGV[3], ARGV[4], "", "0", "5000", "KEYS", unpack(keys)) end
redis.call("CLUSTER", "SETSLOT", ARGV[1], "NODE", ARGV[2])`;

/** Resolves once every node serves all slots, and every replica has what its primary has. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const nodes: RedisServer[] = [];
  for (let n = 0; n < 2 * primaryCount; n += 1) nodes.push(await startNode(options));
  await withNodeTimeout(nodes, quickMs, () => assemble(nodes));
  return new Cluster(nodes);
}

async function startNode({
  prefixes = [defaultKey],
  more = [],
  nodeTimeoutMs = 2_000,
  ...rest
}: ClusterOptions): Promise<RedisServer> {
  const own = ["--cluster-enabled", "yes", "--cluster-port", String(await freePort())];
  own.push("--cluster-node-timeout", String(nodeTimeoutMs), "--cluster-replica-validity-factor", "0");
  own.push("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1");
  own.push("--rdb-del-sync-files", "yes"); // a node that was killed comes back empty, not as it once was
  return startRedis({ rights: documentedClusterRights(), ...rest, prefixes, more: [...own, ...more] });
}

/** Nodes hear of each other at least twice in that time, and so agree soon. */
async function withNodeTimeout(
  nodes: readonly RedisServer[],
  ms: number,
  work: () => Promise<void>,
): Promise<void> {
  const name = "cluster-node-timeout";
  const [, before = ""] = (await nodes[0]?.command("CONFIG", "GET", name)) as string[];
  const set = (value: string) => Promise.all(nodes.map((node) => node.command("CONFIG", "SET", name, value)));
  await set(String(Math.min(ms, Number(before))));
  await work();
  await set(before);
}

async function assemble(nodes: readonly RedisServer[]): Promise<void> {
  const primaries = nodes.slice(0, primaryCount);
  const bound = (n: number): number => Math.floor((n * slotCount) / primaryCount);
  for (const [n, node] of nodes.entries()) {
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(n + 1));
    if (n < primaryCount)
      await node.command("CLUSTER", "ADDSLOTSRANGE", String(bound(n)), String(bound(n + 1) - 1));
  }
  const [first, ...others] = nodes;
  for (const { port, busPort } of await Promise.all(others.map(portsOf)))
    await first?.command("CLUSTER", "MEET", "127.0.0.1", String(port), String(busPort));
  for (const node of nodes) await seen(async () => (await viewsOf(node)).length === nodes.length);
  for (const [n, replica] of nodes.slice(primaryCount).entries()) {
    const id = String(await primaries[n]?.command("CLUSTER", "MYID"));
    await replica.command("CLUSTER", "REPLICATE", id);
  }
  for (const node of nodes) await seen(() => isWhole(node));
  for (const replica of nodes.slice(primaryCount)) await seen(() => isInSync(replica, nodes));
}

async function portsOf(node: RedisServer): Promise<{ port: number; busPort: number }> {
  const [, busPort] = (await node.command("CONFIG", "GET", "cluster-port")) as string[];
  return { port: node.port, busPort: Number(busPort) };
}

export class Cluster {
  readonly nodes: readonly RedisServer[];
  /** Killed or paused: they answer nothing. */
  readonly #silent = new Set<RedisServer>();

  constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** As the user of docs/redis.md. */
  get url(): string {
    return this.urlOf(...this.nodes);
  }

  urlOf(...nodes: readonly { readonly port: number }[]): string {
    const hosts = nodes.map(({ port }) => `127.0.0.1:${String(port)}`).join(",");
    return `redis+cluster://${this.nodes[0]?.credentials ?? ""}@${hosts}`;
  }

  /** The server that answers for the slot of this key. */
  async owner(key = defaultKey): Promise<RedisServer> {
    const slot = await this.#slotOf(key);
    const view = (await viewsOf(this.#witness())).find((one) => owns(one, slot));
    if (view === undefined) throw new Error(`slot ${String(slot)} has no owner`);
    return this.#at(view);
  }

  /** The replicas of that server. */
  async replicas(key = defaultKey): Promise<RedisServer[]> {
    const owner = await this.owner(key);
    const views = await viewsOf(owner);
    const id = views.find(({ port }) => port === owner.port)?.id;
    return views.filter((view) => view.primaryId === id && isWorking(view)).map((view) => this.#at(view));
  }

  /** The slot goes to another primary, key by key, as `redis-cli --cluster reshard` does it. `during`: before the first key. */
  async moveKeyByKey(key = defaultKey, during?: () => Promise<void>): Promise<void> {
    const { slot, from, to, ids } = await this.#planMove(key);
    await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids.from);
    await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids.to);
    await during?.();
    for (;;) {
      const keys = (await from.command("CLUSTER", "GETKEYSINSLOT", slot, "10")) as string[];
      if (keys.length === 0) break;
      await from.command("MIGRATE", "127.0.0.1", String(to.port), "", "0", "5000", "KEYS", ...keys);
    }
    await this.#assign(slot, to);
  }

  /**
   * Clients see the slot move in one step, since its old owner does nothing else meanwhile. Valkey, whose SETSLOT waits for
   * replicas, does it by itself from 9 on; Valkey 8 cannot.
   */
  async moveAtOnce(key = defaultKey): Promise<void> {
    const { slot, from, to, ids } = await this.#planMove(key);
    if (String(await from.command("INFO", "server")).includes("valkey_version:")) {
      await from.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", ids.to);
      for (const node of this.#answering()) await this.#seesOwner(node, { slot: Number(slot), owner: to });
      return;
    }
    await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids.from);
    await from.command("EVAL", giveAway, "0", slot, ids.to, "127.0.0.1", String(to.port));
    await this.#assign(slot, to);
  }

  /** As if its power failed; resolves when another owns its slot. */
  async killOwner(key = defaultKey): Promise<RedisServer> {
    const [owner, slot] = [await this.owner(key), await this.#slotOf(key)];
    this.#silent.add(owner);
    await owner.kill();
    await this.#ownedByOther(slot, owner);
    return owner;
  }

  /** It hangs; resolves when another owns its slot. */
  async pauseOwner(key = defaultKey): Promise<RedisServer> {
    const [owner, slot] = [await this.owner(key), await this.#slotOf(key)];
    this.#silent.add(owner);
    owner.pause();
    await this.#ownedByOther(slot, owner);
    return owner;
  }

  /** Back after `killOwner` or `pauseOwner`; resolves when it is a replica, and the cluster is whole. */
  async revive(node: RedisServer): Promise<void> {
    if (node.pid === 0) await node.start();
    else node.resume();
    this.#silent.delete(node);
    await this.whole();
  }

  /** A planned change: a replica takes over while its primary lives, and nothing is lost. */
  async failOver(key = defaultKey): Promise<void> {
    const [owner, slot, [replica]] = [
      await this.owner(key),
      await this.#slotOf(key),
      await this.replicas(key),
    ];
    if (replica === undefined) throw new Error("the owner of the slot has no replica");
    await seen(() => isInSync(replica, this.nodes));
    await replica.command("CLUSTER", "FAILOVER");
    await this.#ownedByOther(slot, owner);
    await this.whole();
  }

  /** Every node serves, sees three primaries and three replicas, and every replica follows. */
  async whole(): Promise<void> {
    for (const node of this.nodes) await seen(() => isWhole(node));
    for (const node of this.nodes) {
      const isReplica = String(await node.command("INFO", "replication")).includes("role:slave");
      if (isReplica) await seen(() => isInSync(node, this.nodes));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async #planMove(key: string): Promise<{
    slot: string;
    from: RedisServer;
    to: RedisServer;
    ids: { from: string; to: string };
  }> {
    const slot = await this.#slotOf(key);
    const views = await viewsOf(this.#witness());
    const source = views.find((view) => owns(view, slot));
    const target = views.find((view) => isPrimary(view) && view.ranges.length > 0 && !owns(view, slot));
    if (source === undefined || target === undefined) throw new Error("there is no other primary");
    const ids = { from: source.id, to: target.id };
    return { slot: String(slot), from: this.#at(source), to: this.#at(target), ids };
  }

  /** The new owner first: the old one then finds one that serves. */
  async #assign(slot: string, to: RedisServer): Promise<void> {
    const id = String(await to.command("CLUSTER", "MYID"));
    for (const node of [to, ...this.#answering().filter((other) => other !== to)]) {
      const role = String(await node.command("INFO", "replication"));
      if (role.includes("role:master")) await node.command("CLUSTER", "SETSLOT", slot, "NODE", id);
    }
    for (const node of this.#answering()) await this.#seesOwner(node, { slot: Number(slot), owner: to });
  }

  async #seesOwner(node: RedisServer, of: { slot: number; owner: RedisServer }): Promise<void> {
    await seen(async () => {
      const view = (await viewsOf(node)).find((one) => owns(one, of.slot));
      return view?.port === of.owner.port;
    });
  }

  /** All that answer agree on an owner other than this one. */
  async #ownedByOther(slot: number, old: RedisServer): Promise<void> {
    for (const node of this.#answering()) {
      await seen(async () => {
        const view = (await viewsOf(node)).find((one) => owns(one, slot));
        return view !== undefined && view.port !== old.port;
      });
    }
  }

  async #slotOf(key: string): Promise<number> {
    return Number(await this.#witness().command("CLUSTER", "KEYSLOT", key));
  }

  #answering(): RedisServer[] {
    return this.nodes.filter((node) => !this.#silent.has(node));
  }

  #witness(): RedisServer {
    const [first] = this.#answering();
    if (first === undefined) throw new Error("no node answers");
    return first;
  }

  #at({ port }: NodeView): RedisServer {
    const found = this.nodes.find((node) => node.port === port);
    if (found === undefined) throw new Error(`no node of the cluster has port ${String(port)}`);
    return found;
  }
}
