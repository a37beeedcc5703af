/** What a container holds, in the order in which it is written and read: dicts as keys and values, in turn. */
import { PyFrozenSet, PyTuple } from "./python/collections.ts";

/** `undefined`: not a container. Calls no code of the value's, if `value` was made by the reader. */
export function childrenOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return value as unknown[];
  if (value instanceof PyTuple) return value.items;
  if (value instanceof PyFrozenSet) return [...value.members];
  if (value instanceof Set) return [...(value as Set<unknown>)];
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].flat(1);
  return Object.getPrototypeOf(value) === Object.prototype ? Object.values(value) : undefined;
}
