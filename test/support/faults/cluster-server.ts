// A cluster with the methods of a single server, so that the same test runs on either: what is done to the server is done to the
// node that has the keys, which keeps them whatever happens to it. A proxy before a cluster is one before each node.

import type { RedisServer } from "../redis-server.ts";
import { startProxy, type Fault, type Proxy, type SeenCommand } from "../proxy.ts";
import { startCluster, type Cluster, type ClusterOptions } from "./cluster.ts";

/** No replica takes over, and no node is called failed, however busy the machine is and wherever its clock jumps. */
const calm = {
  nodeTimeoutMs: 10 * 60 * 60 * 1_000,
  more: ["--cluster-replica-no-failover", "yes"],
};

export async function startClusterServer(options: ClusterOptions = {}): Promise<ClusterServer> {
  const cluster = await startCluster({ ...calm, ...options, more: [...calm.more, ...(options.more ?? [])] });
  return new ClusterServer(cluster, await cluster.owner());
}

export class ClusterServer {
  readonly cluster: Cluster;
  readonly #owner: RedisServer;

  constructor(cluster: Cluster, owner: RedisServer) {
    this.cluster = cluster;
    this.#owner = owner;
  }

  get url(): string {
    return this.cluster.url;
  }

  get credentials(): string {
    return this.#owner.credentials;
  }

  /** Of the node that has the keys. */
  get adminUrl(): string {
    return this.#owner.adminUrl;
  }

  command(...args: string[]): Promise<unknown> {
    return this.#owner.command(...args);
  }

  calls(): Promise<Record<string, number>> {
    return this.#owner.calls();
  }

  keys(): Promise<string[]> {
    return this.#owner.keys();
  }

  kill(): Promise<void> {
    return this.#owner.kill();
  }

  /** It refuses calls for two more seconds: a node waits for what the others may tell it. */
  start(): Promise<void> {
    return this.#owner.start();
  }

  restart(memory: "empty" | "keep"): Promise<void> {
    return this.#owner.restart(memory);
  }

  pause(): void {
    this.#owner.pause();
  }

  resume(): void {
    this.#owner.resume();
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}

export async function startClusterProxy({ cluster }: Pick<ClusterServer, "cluster">): Promise<ClusterProxy> {
  const proxies = new Map<number, Proxy>();
  for (const node of cluster.nodes) proxies.set(node.port, await startProxy(node));
  return new ClusterProxy(cluster, proxies);
}

export class ClusterProxy {
  readonly seen: SeenCommand[] = [];
  fault: (command: SeenCommand) => Fault | undefined = () => undefined;
  readonly #cluster: Cluster;
  readonly #proxies: readonly Proxy[];

  /** By the ports of the nodes. */
  constructor(cluster: Cluster, proxies: ReadonlyMap<number, Proxy>) {
    this.#cluster = cluster;
    this.#proxies = [...proxies.values()];
    for (const proxy of this.#proxies) {
      proxy.before = (port) => proxies.get(port)?.port ?? port;
      proxy.fault = (command) => {
        this.seen.push(command);
        return this.fault(command);
      };
    }
  }

  get url(): string {
    return this.#cluster.urlOf(...this.#proxies);
  }

  strike(name: string, fault: Fault, nth = 1): void {
    let left = nth;
    this.fault = (command) => (command.name === name && --left === 0 ? fault : undefined);
  }

  cut(): void {
    for (const proxy of this.#proxies) proxy.cut();
  }

  /** Connections that subscribe to plain channels lead there from then on. */
  set subscribersTo(node: RedisServer) {
    for (const proxy of this.#proxies) proxy.subscribersTo = node;
  }

  set frozen(frozen: boolean) {
    for (const proxy of this.#proxies) proxy.frozen = frozen;
  }

  async deliver(): Promise<string[]> {
    return (await Promise.all(this.#proxies.map((proxy) => proxy.deliver()))).flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
