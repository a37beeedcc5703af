// A cluster of three primaries and three replicas. Each process has a way of its own to each node, and the nodes' replies name
// these ways: what is done to a way is done on the one to the owner of the slot.

import { startCluster, type Cluster, type RedisServer } from "../support/faults/index.ts";
import type { Options } from "./options.ts";
import { prefix, redisLeftovers, waysTo, type Ways } from "./ways.ts";
import type { World } from "./world.ts";

/** The slot of the store, and the node that has it. */
export class SlotOwner {
  readonly cluster: Cluster;
  readonly key = prefix;
  owner: RedisServer;

  constructor(cluster: Cluster, owner: RedisServer) {
    this.cluster = cluster;
    this.owner = owner;
  }

  /** By a fault that may lead to another owner. */
  async change(by: (slot: SlotOwner) => Promise<unknown>): Promise<void> {
    await by(this);
    this.owner = await this.cluster.owner(this.key);
  }
}

export async function clusterWorld({ processes }: Options): Promise<World> {
  const cluster = await startCluster({ prefixes: [prefix] });
  const slot = new SlotOwner(cluster, await cluster.owner(prefix));
  const ways = new Map<RedisServer, Ways>();
  for (const node of cluster.nodes) ways.set(node, await waysTo(node, processes));
  const proxiesOf = (place: number) => cluster.nodes.map((node) => ways.get(node)!.proxies[place]!);
  for (let place = 0; place < processes; place += 1) {
    const portOf = new Map(proxiesOf(place).map((proxy, n) => [cluster.nodes[n]!.port, proxy.port]));
    for (const proxy of proxiesOf(place)) proxy.before = (port) => portOf.get(port) ?? port;
  }
  return {
    targetOf: (place) => cluster.urlOf(...proxiesOf(place)),
    direct: () => cluster.url,
    redis: {
      proxyOf: (place) => ways.get(slot.owner)!.proxies[place]!,
      linkOf: (place) => ways.get(slot.owner)!.links[place]!,
      server: () => slot.owner,
      clock: undefined,
      group: undefined,
      cluster: slot,
    },
    without: new Map(),
    leftovers: () => redisLeftovers(slot.owner),
    async close() {
      for (const { close } of ways.values()) await close();
      await cluster.stop();
    },
  };
}
