/**
 * The serializer "bytes": a state is one Uint8Array, stored as it is.
 *
 * A Buffer is accepted, and comes back as a Uint8Array. Other views are refused: they would come back as another type.
 */
import { types } from "node:util";

import { SerializationError } from "../errors.ts";
import { show } from "../parse-options.ts";
import { constructorName } from "./plain.ts";
import type { Serializer } from "./serializer.ts";

// "isolated" is not enumerable: a serializer that is made by spreading this one must not inherit it.
export const bytes: Serializer = Object.freeze(
  Object.defineProperty(
    { name: "bytes", serialize, deserialize: (stored: Uint8Array) => new Uint8Array(stored) },
    "isolated",
    { value: true },
  ),
);

/** By name, since each realm (`node:vm`) has a Uint8Array of its own. */
const kept = new Set<string | undefined>(["Uint8Array", "Buffer"]);

function serialize(value: unknown): Uint8Array {
  if (types.isUint8Array(value) && kept.has(constructorName(value))) return new Uint8Array(value);
  throw new SerializationError(
    `The serializer "bytes" keeps a Uint8Array only; got ${kindOf(value)}. ` +
      `Pass new Uint8Array(…), or use the serializer "json" for other values.`,
  );
}

function kindOf(value: unknown): string {
  const name = typeof value === "object" && value !== null ? constructorName(value) : undefined;
  return name === undefined || name === "Object" || name === "Array" ? show(value) : `a value of ${name}`;
}
