// What the nodes of a cluster say of each other.

import type { RedisServer } from "../redis-server.ts";

/** One node, as CLUSTER NODES of another describes it. */
export interface NodeView {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly primaryId: string;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

export async function viewsOf(node: RedisServer): Promise<NodeView[]> {
  const lines = String(await node.command("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  return lines.map((line) => {
    const [id = "", address = "", flags = "", primaryId = "", , , , , ...slots] = line.split(" ");
    const ranges = slots
      .filter((slot) => /^\d/.test(slot)) // not one that is on its way
      .map((range) => range.split("-").map(Number))
      .map(([from = 0, to = from]) => [from, to] as const);
    return { id, port: Number(/:(\d+)@/.exec(address)?.[1]), flags: flags.split(","), primaryId, ranges };
  });
}

export const isWorking = ({ flags }: NodeView): boolean =>
  !flags.some((flag) => /^(fail|handshake|noaddr)/.test(flag));
export const isPrimary = (view: NodeView): boolean => view.flags.includes("master") && isWorking(view);
export const owns = (view: NodeView, slot: number): boolean =>
  isPrimary(view) && view.ranges.some(([from, to]) => from <= slot && slot <= to);

/** It serves, and every primary has a replica. */
export async function isWhole(node: RedisServer): Promise<boolean> {
  const info = String(await node.command("CLUSTER", "INFO"));
  const views = await viewsOf(node);
  const replicas = views.filter((view) => view.flags.includes("slave") && isWorking(view));
  return info.includes("cluster_state:ok") && 2 * replicas.length === views.length;
}

/** Its link may be up for a second before its primary sends it what came since the copy that it loaded. */
export async function isInSync(replica: RedisServer, nodes: readonly RedisServer[]): Promise<boolean> {
  const info = String(await replica.command("INFO", "replication"));
  const [, port] = /^master_port:(\d+)/m.exec(info) ?? [];
  const primary = nodes.find((node) => String(node.port) === port);
  if (primary === undefined || !info.includes("master_link_status:up")) return false;
  const replicas = String(await primary.command("INFO", "replication"));
  return replicas.includes(`port=${String(replica.port)},state=online`);
}

export async function seen(look: () => Promise<boolean>): Promise<void> {
  while (!(await look().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20));
}
