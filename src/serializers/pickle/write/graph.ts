/**
 * What is written, as a graph: a node for each object of the value, which lists what it holds.
 *
 * The graph is complete and checked before the first byte is written, and the value is not looked at again. So nothing
 * that a getter or a proxy may answer the second time can get into a pickle.
 */
import { constructorName } from "../../plain.ts";
import type { PathKey } from "../../value-path.ts";

/** What an object becomes in Python. "atom": one that holds no other values, such as bytes or a date. */
export type Kind = "list" | "dict" | "set" | "tuple" | "frozenset" | "atom";

export interface Node {
  readonly kind: Kind;
  readonly value: object;
  /** Of a dict: keys and values, in turn. */
  readonly children: readonly unknown[];
  /** How often it is referred to. More than once: it is kept in the memo. */
  uses: number;
  /** Whether the walk is inside it. */
  isOpen: boolean;
}

export interface Graph {
  readonly nodes: ReadonlyMap<unknown, Node>;
  /** How often each text that is worth a place in the memo occurs. */
  readonly texts: ReadonlyMap<string, number>;
  /** Whether a tuple is there, and an object that holds itself. */
  readonly needsCare: boolean;
}

/** The last step to a child of the node, for a message. */
export function stepTo({ kind, value, children }: Node, index: number): PathKey {
  if (kind === "list") return index;
  if (kind === "tuple") return { text: `.items[${index}]` };
  if (kind !== "dict") return { text: ` member ${index}` };
  const key = children[index - (index % 2)];
  if (value instanceof Map)
    return index % 2 === 0 ? { text: ` key ${index / 2}` } : { text: `.get(${shown(key)})` };
  return typeof key === "string" ? key : "";
}

/** A key for a message. */
export function shown(key: unknown): string {
  if (typeof key === "string") return JSON.stringify(key.length > 40 ? `${key.slice(0, 39)}…` : key);
  if (typeof key === "bigint")
    return key < 1n << 64n && key > -(1n << 64n) ? `${key.toString()}n` : "a bigint";
  return typeof key === "object" && key !== null ? shownObject(key) : String(key);
}

function shownObject(key: object): string {
  if (Array.isArray(key)) return "an array";
  const prototype = Object.getPrototypeOf(key) as object | null;
  const name = (prototype && constructorName(prototype)) ?? "Object";
  return name === "Object" ? "an object" : `a ${name}`;
}
