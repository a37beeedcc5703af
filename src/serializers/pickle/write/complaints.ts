/** What a pickle of plain data cannot keep, and what to store instead. The kinds of objects that it can keep. */
import { constructorName, isPlainArray, isPlainObject } from "../../plain.ts";
import { shorten } from "../../value-path.ts";
import { PyByteArray, PyFloat, PyFrozenSet, PyTuple } from "../python/collections.ts";
import { PyDate, PyDateTime, PyTime } from "../python/dates.ts";
import { PyTimeDelta, PyTimeZone } from "../python/spans.ts";
import type { Kind } from "./graph.ts";

/** The end of a sentence that begins with the path, and a sentence without its full stop. */
export type Complaint = readonly [found: string, advice: string];

/** About a value that is not an object. */
export function complainOfPrimitive(value: unknown, plainFloats: boolean): Complaint | undefined {
  switch (typeof value) {
    case "undefined":
      return ["is undefined", "Store null, or delete the state"];
    case "function":
      return ["is a function", "Store the data that it works on"];
    case "symbol":
      return ["is a symbol", "Store a text"];
    case "number":
      return plainFloats ? undefined : complainOfNumber(value);
    default:
      return undefined;
  }
}

/** Beyond 2⁵³, nothing says whether an int is meant, which would have lost digits, or a float. */
function complainOfNumber(value: number): Complaint | undefined {
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return undefined;
  return [
    `is ${value}, an integer beyond 2^53`,
    "Store BigInt(value) for an int, or new PyFloat(value) for a float",
  ];
}

const atoms = [PyByteArray, PyDate, PyTime, PyDateTime, PyTimeDelta, PyTimeZone];

/** What it becomes in Python; `undefined` if it cannot become anything. */
export function kindOf(value: object): Kind | undefined {
  if (Array.isArray(value)) return isPlainArray(value) ? "list" : undefined;
  if (isPlainObject(value)) return "dict";
  if (isExactly(value, PyTuple)) return "tuple";
  if (isExactly(value, PyFrozenSet)) return "frozenset";
  if (isExactly(value, Map)) return "dict";
  if (isExactly(value, Set)) return "set";
  if (isExactly(value, Uint8Array) || isExactly(value, Buffer) || isExactly(value, Date)) return "atom";
  return atoms.some((type) => isExactly(value, type)) ? "atom" : undefined;
}

/** Subclasses would come back as something else. */
function isExactly(value: object, type: { readonly prototype: object }): boolean {
  return Object.getPrototypeOf(value) === type.prototype;
}

export function isFloat(value: object): value is PyFloat {
  return isExactly(value, PyFloat);
}

export function complainOfClass(value: object): Complaint {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  const name = constructorName(Object.getPrototypeOf(value) as object) ?? tag;
  const found =
    name === "Object" ? "is an object with a prototype of its own" : `is an instance of ${shorten(name)}`;
  const isBinary = ArrayBuffer.isView(value) || tag === "ArrayBuffer";
  if (isBinary) return [found, "Store its bytes as a Uint8Array"];
  return [found, "Store a plain object or array with its data, such as { ...value }"];
}

export function complainOfTextMap(hasKeys: boolean): Complaint {
  const what = hasKeys ? "a Map with only text for keys" : "an empty Map";
  return [
    `is ${what}, which would come back as an object`,
    'Store an object, or use createPickle({ dicts: "maps" })',
  ];
}

/** What is wrong with a date that Python could not hold. */
export function complainOfDate(value: object): Complaint | undefined {
  if (!(value instanceof Date)) return undefined;
  const year = value.getUTCFullYear();
  if (year >= 1 && year <= 9999) return undefined;
  return Number.isNaN(year)
    ? ["is an invalid Date", "Store null"]
    : [`is a Date in the year ${year}`, "Python holds the years 1 to 9999: store the number value.getTime()"];
}

export function complaintOfGap(array: readonly unknown[], index: number): Complaint {
  if (Object.hasOwn(array, index))
    return ["is undefined, inside an array", "Store null, or take the item out"];
  return ["is a hole in a sparse array", "Store null there, or a Map with numbers for keys"];
}

export const accessorComplaint: Complaint = [
  "is a getter or setter",
  "Store its present value as a plain property",
];
