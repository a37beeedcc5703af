/**
 * From what msgpackr has read to the value: maps become objects. What could not be saved again is refused [S6]: the
 * extensions that msgpackr reads always (errors, regular expressions, sets), and maps whose keys are no strings.
 */
import { types } from "node:util";

import { CorruptStateError } from "../../errors.ts";
import { constructorName } from "../plain.ts";
import { largestBigint, maxContainers, maxDepth, smallestBigint } from "./limits.ts";

/** `bytes`: what msgpackr has read it from. */
export function finish(read: unknown, bytes: Uint8Array): unknown {
  if (read === undefined) throw unkept("undefined as the whole value");
  const walk = { depth: 0, containers: 0, replacements: 0 };
  const value = finished(read, walk);
  if (walk.replacements > 0 && walk.replacements > replacementsIn(bytes))
    throw unkept("text that is not UTF-8");
  return value;
}

interface Walk {
  depth: number;
  containers: number;
  /** How often U+FFFD occurs, which msgpackr puts in the place of bytes that are not UTF-8. */
  replacements: number;
}

function finished(read: unknown, walk: Walk): unknown {
  switch (typeof read) {
    case "number":
      if (Object.is(read, -0)) throw unkept("-0");
      return read;
    case "bigint":
      if (read < smallestBigint || read > largestBigint) throw unkept("an integer beyond 64 bits");
      return read;
    case "string":
      if (!read.isWellFormed()) throw unkept("text that is not UTF-8");
      walk.replacements += occurrences(read, replacement);
      return read;
    case "object":
      return read === null ? null : finishedObject(read, walk);
    default:
      return read; // a boolean, or undefined
  }
}

function finishedObject(read: object, walk: Walk): unknown {
  if (types.isUint8Array(read)) return read;
  if (types.isDate(read)) {
    if (Number.isNaN(read.getTime())) throw unkept("an invalid date");
    return read;
  }
  walk.depth += 1;
  walk.containers += 1;
  if (walk.depth > maxDepth || walk.containers > maxContainers)
    throw unkept(`more than ${maxDepth} levels, or more than ${maxContainers} objects and arrays`);
  const made = contentsOf(read, walk);
  walk.depth -= 1;
  return made;
}

function contentsOf(read: object, walk: Walk): unknown {
  if (read instanceof Map) return objectOf(read, walk);
  if (Array.isArray(read)) return read.map((item) => finished(item, walk));
  throw unkept(`a ${constructorName(read) ?? "value of another type"}`);
}

function objectOf(map: ReadonlyMap<unknown, unknown>, walk: Walk): object {
  const object: Record<string, unknown> = {};
  for (const [key, value] of map) {
    if (typeof key !== "string") throw unkept(`a map with a key that is a ${typeof key}, not a string`);
    if (key === "__proto__" || !key.isWellFormed()) throw unkept(`the key ${JSON.stringify(key)}`);
    walk.replacements += occurrences(key, replacement);
    object[key] = finished(value, walk);
  }
  return object;
}

const replacement = "\ufffd";

/** Those that were stored as such. */
function replacementsIn(bytes: Uint8Array): number {
  return occurrences(Buffer.from(bytes).toString("latin1"), Buffer.from(replacement).toString("latin1"));
}

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}

function unkept(found: string): CorruptStateError {
  return new CorruptStateError(`the stored MessagePack has ${found}, which this serializer does not keep`);
}
