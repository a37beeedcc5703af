/**
 * What JSON cannot keep, where it is, and what to do instead.
 *
 * This is the complete list of the rules, and it decides. It runs only if the quick walks of `json.ts` find something
 * unusual, so it is written for clarity, not for speed. It calls no `toJSON`, and no getter of an object.
 *
 * The rules cover what `JSON.stringify` would write: own enumerable properties. Others are ignored, as by spread,
 * except that any symbol key is refused: objects of the runtime (`Math`, `arguments`, iterators) have them.
 */

import { constructorName, isPlainArray, isPlainObject } from "./plain.ts";
import { formatPath, shorten } from "./value-path.ts";

/** How many objects and arrays may be nested, the outermost included. Far below what any stack allows. */
export const maxDepth = 512;

/** The first thing in a value that JSON would change or drop. */
export interface Trouble {
  /** Where it is: `$.items[3].price`. */
  readonly path: string;
  /** What it is, as the end of a sentence that begins with the path: "is NaN". */
  readonly found: string;
  /** What to store instead, as a sentence without its full stop. */
  readonly advice: string;
}

/** Searches a value; returns `undefined` if JSON keeps all of it. */
export function findTrouble(value: unknown): Trouble | undefined {
  return inspect(value, { keys: [], ancestors: [], seen: new Map(), places: 0 });
}

/** The `found` and `advice` of a trouble. */
type Complaint = readonly [found: string, advice: string];

interface Trail {
  /** The path from the root. */
  readonly keys: PropertyKey[];
  /** The containers on the path, to detect cycles. */
  readonly ancestors: object[];
  /** Valid containers, so that a value with shared parts is walked in linear time. */
  readonly seen: Map<object, Seen>;
  /** The number of containers that would be written so far: a shared one counts at each of its places. */
  places: number;
}

interface Seen {
  readonly depth: number;
  /** The number of containers in it, itself included. */
  readonly places: number;
}

/** A Map cannot hold 2²⁴ entries; containers beyond this number are searched at every place. */
const maxSeen = 1_000_000;

/** Each takes three bytes or more, and no string can be longer than 2²⁹; JSON.stringify would never end. */
const maxPlaces = 2 ** 28;

const loneSurrogate = /\p{Surrogate}/u;

function inspect(value: unknown, trail: Trail): Trouble | undefined {
  if (typeof value === "object" && value !== null) return inspectContainer(value, trail);
  return report(complainOfPrimitive(value), trail);
}

function inspectContainer(value: object, trail: Trail): Trouble | undefined {
  const complaint = complainOfCycle(value, trail) ?? complainOfDepth(trail) ?? complainOfKind(value);
  if (complaint !== undefined) return report(complaint, trail);

  const depth = trail.ancestors.length;
  const seen = trail.seen.get(value);
  if (seen !== undefined && seen.depth >= depth) return countPlaces(seen.places, trail);
  const before = trail.places;
  trail.ancestors.push(value);
  const trouble = inspectInside(value, trail);
  trail.ancestors.pop();
  if (trouble !== undefined) return trouble;
  const overflow = countPlaces(1, trail);
  if (trail.seen.size < maxSeen) trail.seen.set(value, { depth, places: trail.places - before });
  return overflow;
}

function countPlaces(places: number, trail: Trail): Trouble | undefined {
  trail.places += places;
  if (trail.places <= maxPlaces) return undefined;
  return report(["is too large: a shared part is written at each of its places", byIdAdvice], trail);
}

function inspectInside(value: object, trail: Trail): Trouble | undefined {
  const trouble = inspectSymbols(value, trail);
  if (trouble !== undefined) return trouble;
  return Array.isArray(value) ? inspectArray(value, trail) : inspectObject(value, trail);
}

function inspectSymbols(value: object, trail: Trail): Trouble | undefined {
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol === undefined) return undefined;
  return reportAt(symbol, ["has a symbol for a key", "Use a text for the key"], trail);
}

function inspectArray(array: readonly unknown[], trail: Trail): Trouble | undefined {
  for (let index = 0; index < array.length; index += 1) {
    const item = array[index]; // also by a getter: a check at each index would slow down the quick walk too
    const trouble =
      item === undefined
        ? reportAt(index, complainOfGap(array, index), trail)
        : inspectAt(index, item, trail);
    if (trouble !== undefined) return trouble;
  }
  const name = Object.keys(array).find((key) => !isIndex(key, array.length));
  if (name === undefined) return undefined;
  return reportAt(name, ["is a named property of an array", "Store an object that holds the array"], trail);
}

function inspectObject(object: object, trail: Trail): Trouble | undefined {
  for (const key of Object.keys(object)) {
    const property = Object.getOwnPropertyDescriptor(object, key);
    const isAccessor = property?.get !== undefined || property?.set !== undefined;
    const value: unknown = property?.value;
    if (!isAccessor && value === undefined) continue; // JSON leaves it out, and so does Holdfast
    const complaint = isAccessor ? accessorComplaint : complainOfKey(key);
    if (complaint !== undefined) return reportAt(key, complaint, trail);
    const trouble = inspectAt(key, value, trail);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

function inspectAt(key: string | number, value: unknown, trail: Trail): Trouble | undefined {
  trail.keys.push(key);
  const trouble = inspect(value, trail);
  trail.keys.pop();
  return trouble;
}

function complainOfGap(array: readonly unknown[], index: number): Complaint {
  if (Object.hasOwn(array, index))
    return ["is undefined, inside an array", "Store null, or take the item out"];
  return ["is a hole in a sparse array", "Store null there, or an object with numbers for keys"];
}

const accessorComplaint: Complaint = ["is a getter or setter", "Store its present value as a plain property"];

function complainOfKey(key: string): Complaint | undefined {
  if (key === "__proto__") {
    return ['has the key "__proto__", which is refused on loading', "Use another key, or an array of pairs"];
  }
  if (!loneSurrogate.test(key)) return undefined;
  return ["has half a character (a lone surrogate) in its key", wellFormedAdvice];
}

const wellFormedAdvice = "Clean the text with text.toWellFormed(), or do not cut it inside a character";

function complainOfPrimitive(value: unknown): Complaint | undefined {
  switch (typeof value) {
    case "number":
      return complainOfNumber(value);
    case "string":
      return complainOfText(value);
    case "bigint":
      return ["is a bigint", "Store String(value), and read it back with BigInt(text)"];
    case "undefined":
      return ["is undefined", "Store null, or delete the state"];
    case "function":
      return ["is a function", "Store the data that it works on"];
    case "symbol":
      return ["is a symbol", "Store a text"];
    default:
      return undefined;
  }
}

function complainOfText(text: string): Complaint | undefined {
  if (!loneSurrogate.test(text)) return undefined;
  return ["has half a character (a lone surrogate) in its text", wellFormedAdvice];
}

function complainOfNumber(value: number): Complaint | undefined {
  if (Object.is(value, -0)) return ["is -0", "Store 0 (value + 0 turns -0 into 0)"];
  return Number.isFinite(value) ? undefined : [`is ${value}`, "Store null"];
}

const byIdAdvice = "Store an id in place of the reference";

function complainOfCycle(value: object, { keys, ancestors }: Trail): Complaint | undefined {
  const index = ancestors.indexOf(value);
  if (index === -1) return undefined;
  return [
    `refers back to ${formatPath(keys.slice(0, index))}, in a cycle`,
    "Store an id in place of the reference",
  ];
}

function complainOfDepth({ ancestors }: Trail): Complaint | undefined {
  if (ancestors.length < maxDepth) return undefined;
  return [
    `is nested more than ${maxDepth} levels deep`,
    "Store a flat list of nodes that name their parents",
  ];
}

function complainOfKind(value: object): Complaint | undefined {
  const isPlain = Array.isArray(value) ? isPlainArray(value) : isPlainObject(value);
  if (!isPlain) return complainOfClass(value);
  if (isRawJson(value)) return ["is made by JSON.rawJSON", "Store its text, value.rawJSON, as a string"];
  if (!("toJSON" in value) || typeof value.toJSON !== "function") return undefined;
  return ["has a toJSON method, so that something else would be stored", "Store what toJSON() returns"];
}

/** Written as a number that keeps all its digits, which are lost on reading. Node 20 does not have it yet. */
function isRawJson(value: object): boolean {
  const { isRawJSON } = JSON as { readonly isRawJSON?: (value: object) => boolean };
  return isRawJSON?.(value) ?? false;
}

function complainOfClass(value: object): Complaint {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  const name = constructorName(Object.getPrototypeOf(value) as object) ?? tag;
  const found =
    name === "Object" ? "is an object with a prototype of its own" : `is an instance of ${shorten(name)}`;
  const advice = adviceByTag.get(ArrayBuffer.isView(value) ? "ArrayBuffer" : tag);
  return [found, advice ?? "Store a plain object or array with its data, such as { ...value }"];
}

const unbox = "Store value.valueOf()";
const keepAway = "Keep it in the process, and store the data that it works on";

const adviceByTag = new Map([
  ["Date", "Store value.toISOString(), or the number value.getTime()"],
  ["Map", "Store Object.fromEntries(map), or the array of pairs [...map]"],
  ["Set", "Store the array [...set]"],
  ["RegExp", "Store its source and flags"],
  ["Error", "Store its name and message"],
  ["Promise", "Await it, and store what it resolves with"],
  ["ArrayBuffer", 'Store Array.from(bytes), or the text Buffer.from(bytes).toString("base64")'],
  ["SharedArrayBuffer", keepAway],
  ["WeakMap", keepAway],
  ["WeakSet", keepAway],
  ["WeakRef", keepAway],
  ["URL", "Store url.href"],
  ["Number", unbox],
  ["String", unbox],
  ["Boolean", unbox],
  ["BigInt", "Store the text value.toString()"],
]);

function isIndex(key: string, length: number): boolean {
  return String(Number(key)) === key && Number(key) < length;
}

function reportAt(key: PropertyKey, complaint: Complaint, trail: Trail): Trouble {
  const [found, advice] = complaint;
  return { path: formatPath([...trail.keys, key]), found, advice };
}

function report(complaint: Complaint | undefined, trail: Trail): Trouble | undefined {
  if (complaint === undefined) return undefined;
  const [found, advice] = complaint;
  return { path: formatPath(trail.keys), found, advice };
}
