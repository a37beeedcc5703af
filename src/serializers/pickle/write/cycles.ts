/**
 * Which lists and dicts must be filled after everything else.
 *
 * A tuple is written after its items. If one of its items leads back to it, it would have to be written before itself. So a
 * list or dict that a tuple holds, and that leads back to the tuple, is written empty, and filled at the end. Objects that
 * lead to each other are found by Tarjan's algorithm, without recursion and in linear time.
 */
import type { Graph, Node } from "./graph.ts";

interface Visit {
  readonly node: Node;
  readonly index: number;
  next: number;
  /** The lowest index that can be reached. */
  low: number;
}

/** The nodes to fill later. */
export function findDeferred(graph: Graph, root: unknown): ReadonlySet<Node> {
  if (!graph.needsCare) return new Set();
  const groups = groupsOf(graph, root);
  const deferred = new Set<Node>();
  for (const tuple of graph.nodes.values()) {
    if (tuple.kind !== "tuple") continue;
    for (const child of tuple.children) {
      const node = graph.nodes.get(child);
      const isFilled = node?.kind === "list" || node?.kind === "dict";
      if (isFilled && groups.get(node) === groups.get(tuple)) deferred.add(node);
    }
  }
  return deferred;
}

/** Nodes that lead to each other have the same number. */
function groupsOf({ nodes }: Graph, root: unknown): ReadonlyMap<Node, number> {
  const indexes = new Map<Node, number>();
  const groups = new Map<Node, number>();
  const waiting: Node[] = []; // visited, but in no group yet
  const visits: Visit[] = [];
  const visit = (value: unknown, from?: Visit): void => {
    const node = nodes.get(value);
    if (node === undefined || groups.has(node)) return;
    const known = indexes.get(node);
    if (known !== undefined) {
      if (from !== undefined) from.low = Math.min(from.low, known);
      return;
    }
    const index = indexes.size;
    indexes.set(node, index);
    waiting.push(node);
    visits.push({ node, index, next: 0, low: index });
  };
  visit(root);
  for (let top = visits.at(-1); top !== undefined; top = visits.at(-1)) {
    if (top.next < top.node.children.length) {
      visit(top.node.children[top.next++], top);
      continue;
    }
    visits.pop();
    const below = visits.at(-1);
    if (below !== undefined) below.low = Math.min(below.low, top.low);
    if (top.low === top.index) closeGroup(top, waiting, groups);
  }
  return groups;
}

function closeGroup({ node, index }: Visit, waiting: Node[], groups: Map<Node, number>): void {
  for (let member = waiting.pop(); member !== undefined; member = waiting.pop()) {
    groups.set(member, index);
    if (member === node) return;
  }
}
