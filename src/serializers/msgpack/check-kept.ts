/**
 * What MessagePack cannot keep, where it is, and what to do instead. It calls no getter and no `toJSON`.
 *
 * It is the whole list of the rules: what passes is equal after loading.
 */
import { types } from "node:util";

import { SerializationError } from "../../errors.ts";
import { constructorName, isPlainArray, isPlainObject } from "../plain.ts";
import { formatPath, type PathKey } from "../value-path.ts";
import { maxContainers, maxDepth, smallestBigint, largestBigint } from "./limits.ts";

/** Throws SerializationError. */
export function checkKept(value: unknown): void {
  const walk: Walk = { keys: [], containers: 0 };
  if (value === undefined) refuse(walk, "is undefined", "Store null, or delete the state");
  check(value, walk);
}

interface Walk {
  readonly keys: PathKey[];
  /** How many objects and arrays would be written so far: a shared one counts at each of its places. */
  containers: number;
}

function check(value: unknown, walk: Walk): void {
  switch (typeof value) {
    case "boolean":
    case "undefined":
      return;
    case "number":
      if (Object.is(value, -0)) refuse(walk, "is -0", "Store 0");
      return;
    case "string":
      return checkText(value, walk);
    case "bigint":
      if (value < smallestBigint || value > largestBigint)
        refuse(walk, "is a bigint beyond 64 bits", "Store it as a string");
      return;
    case "object":
      return value === null ? undefined : checkObject(value, walk);
    default:
      refuse(walk, `is a ${typeof value}`, "Remove it");
  }
}

function checkText(text: string, walk: Walk): void {
  if (!text.isWellFormed()) refuse(walk, "has a lone surrogate", "Remove it with toWellFormed()");
}

function checkObject(value: object, walk: Walk): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (types.isDate(value) && prototype === Date.prototype) {
    if (Number.isNaN(value.getTime())) refuse(walk, "is an invalid Date", "Store null");
    return;
  }
  // Of this realm: msgpackr knows no others.
  if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) {
    if (types.isUint8Array(value)) return;
  }
  walk.containers += 1;
  if (walk.keys.length >= maxDepth)
    refuse(walk, `is nested more than ${maxDepth} levels deep, or in a cycle`, "Store references by id");
  if (walk.containers > maxContainers)
    refuse(
      walk,
      `is beyond the ${maxContainers} objects and arrays of a value`,
      "Split it into several states",
    );
  if (Object.getOwnPropertySymbols(value).length > 0) refuse(walk, "has symbols as keys", "Use strings");
  if (Array.isArray(value)) checkArray(value, walk);
  else checkProperties(value, walk);
}

function checkArray(array: readonly unknown[], walk: Walk): void {
  if (!isPlainArray(array)) refuse(walk, `is ${classOf(array)}`, "Copy it into an array");
  // Unequal if there are holes or named properties, unless as many: then a hole is found below.
  const isWhole = Object.values(array).length === array.length;
  for (let index = 0; index < array.length; index += 1) {
    const item = array[index];
    if (!isWhole || (item === undefined && !Object.hasOwn(array, index)))
      refuse(walk, "has holes or named properties", "Fill the holes with null, or use an object");
    inside(index, item, walk);
  }
}

function checkProperties(object: object, walk: Walk): void {
  if (!isPlainObject(object))
    refuse(walk, `is ${classOf(object)}`, "Store its data as a plain object or array");
  for (const key of Object.keys(object)) {
    if (key === "__proto__") refuse(walk, 'has the key "__proto__"', "Use another key");
    const property = Object.getOwnPropertyDescriptor(object, key); // unlike object[key], it calls no getter
    if (property === undefined || !("value" in property))
      refuse(walk, `has the getter ${JSON.stringify(key)}`, "Store its value");
    if (!key.isWellFormed()) refuse(walk, "has a key with a lone surrogate", "Remove it with toWellFormed()");
    inside(key, property.value, walk);
  }
}

/** "a Map"; for one whose name would pass, why it does not. */
function classOf(value: object): string {
  const name = constructorName(value) ?? "value with a class";
  const isKnown = ["Date", "Uint8Array", "Buffer", "Array", "Object"].includes(name);
  return isKnown ? `a ${name} of another realm or a subclass` : `a ${name}`;
}

function inside(key: PathKey, value: unknown, walk: Walk): void {
  walk.keys.push(key);
  check(value, walk);
  walk.keys.pop();
}

function refuse({ keys }: Walk, found: string, advice: string): never {
  throw new SerializationError(
    `MessagePack cannot keep this value: ${formatPath(keys)} ${found}. ${advice}, or use your own serializer.`,
  );
}
