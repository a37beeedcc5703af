/**
 * The last step of reading: puts each dict's object or `Map` in the place of its node, freezes tuples, and checks how deep
 * the value is. Without recursion, and once for each container, however often it is referred to.
 */
import { CorruptStateError } from "../../../errors.ts";
import { childrenOf } from "../children.ts";
import { PyTuple } from "../python/collections.ts";
import { Named, shownName } from "./constructors.ts";
import { DictNode } from "./dict-node.ts";

interface Frame {
  readonly children: readonly unknown[];
  next: number;
}

/** Returns the value; throws CorruptStateError if it is nested more deeply than `maxDepth`. */
export function finish(root: unknown, maxDepth: number): unknown {
  const value = settled(root);
  const seen = new Set<object>();
  const first = enter(value, seen);
  const frames: Frame[] = first === undefined ? [] : [first];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    if (frames.length > maxDepth) {
      throw new CorruptStateError(`the pickle is nested more than ${maxDepth} levels deep (maxDepth)`);
    }
    if (frame.next === frame.children.length) {
      frames.pop();
      continue;
    }
    const child = enter(frame.children[frame.next++], seen);
    if (child !== undefined) frames.push(child);
  }
  return value;
}

/** `undefined`: there is nothing in it, or it was entered before. */
function enter(value: unknown, seen: Set<object>): Frame | undefined {
  if (typeof value !== "object" || value === null || seen.has(value)) return undefined;
  settleChildren(value);
  const children = childrenOf(value);
  if (children === undefined) return undefined;
  seen.add(value);
  if (value instanceof PyTuple) Object.freeze(value.items);
  return { children, next: 0 };
}

function settleChildren(container: object): void {
  if (Array.isArray(container)) return settleList(container);
  if (container instanceof PyTuple) return settleList(container.items as unknown[]);
  if (container instanceof Map) {
    for (const [key, value] of container as Map<unknown, unknown>) {
      if (isUnsettled(value)) container.set(key, settled(value));
    }
  } else if (Object.getPrototypeOf(container) === Object.prototype) {
    const object = container as Record<string, unknown>;
    // Nothing is set that is not there already: not even the key __proto__ reaches a setter.
    for (const [key, value] of Object.entries(object))
      if (isUnsettled(value)) replace(object, key, settled(value));
  }
}

function settleList(items: unknown[]): void {
  for (const [index, item] of items.entries()) if (isUnsettled(item)) items[index] = settled(item);
}

function replace(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value });
}

function isUnsettled(value: unknown): boolean {
  return value instanceof DictNode || value instanceof Named;
}

function settled(value: unknown): unknown {
  if (value instanceof Named) {
    throw new CorruptStateError(
      `the pickle has ${shownName(value.name)} itself for a value at byte ${value.at}, which is not plain data`,
    );
  }
  return value instanceof DictNode ? value.target : value;
}
