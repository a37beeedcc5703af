/**
 * The default serializer: JSON that loses nothing silently.
 *
 * What `JSON.stringify` would silently change or drop is refused, with its path and advice. What is accepted is equal
 * after loading. What could not be saved again is not loaded either [S6].
 *
 * It runs in every update. So quick walks, which allocate almost nothing, only distinguish "certainly valid" from
 * "maybe not"; `json-refusals.ts` decides, and writes the messages. A walk may suspect a valid value, but must never pass
 * an invalid one.
 */

import { Buffer, isAscii } from "node:buffer";

import { CorruptStateError, isError, sentence, SerializationError } from "../errors.ts";
import { parseByHand } from "./json-reader.ts";
import { findTrouble, maxDepth } from "./json-refusals.ts";
import type { Serializer } from "./serializer.ts";

/**
 * JSON, for plain data: `null`, booleans, numbers, strings, arrays, and objects without a class.
 *
 * `serialize` refuses with `SerializationError` what JSON would change or drop: `NaN`, `Infinity`, `-0`, bigint,
 * `Date`, `Map`, `Set`, typed arrays, class instances, anything with a `toJSON` method, functions, symbols, getters of
 * objects, `undefined` anywhere but in an object's property, sparse arrays, named properties of arrays, cycles, lone
 * surrogates, the key `__proto__`, and nesting deeper than 512. The message names the path, such as
 * `$.items[3].price`, and says what to store instead.
 *
 * Not kept exactly: a property that is `undefined` or not enumerable is left out; an object that is referenced twice
 * becomes two copies; an object without a prototype becomes an ordinary one. Keys keep their order, so values that
 * differ only in that order give different bytes.
 *
 * `deserialize` refuses with `CorruptStateError` what is not JSON in UTF-8, a byte order mark included, and what
 * `serialize` would refuse to save again: `-0`, `1e999`, an escaped lone surrogate, the key `__proto__`, nesting deeper
 * than 512. Other JSON is accepted, whatever program wrote it: white space, any order of keys, `1e3`, escapes. If a key
 * occurs twice, the last one counts; a number with more digits than a double holds is read as the nearest double.
 *
 * @example
 * ```ts
 * const bytes = json.serialize({ left: 500, since: new Date().toISOString() });
 * const stock = json.deserialize(bytes);
 * ```
 */
export const json: Serializer = Object.freeze(
  // Not enumerable: a serializer that is made by spreading this one must not inherit the property.
  Object.defineProperty({ name: "json", serialize, deserialize }, "isolated", { value: true }),
);

/** A walk returns a negative number if something is, or may be, wrong. */
const suspicious = -1;

/**
 * A walk stops and returns `suspicious` after this many objects and arrays. A value whose parts are shared 2⁴⁰ times is
 * small in memory, but endless for a walk; `findTrouble` remembers what it has seen.
 */
const maxVisits = 4_000_000;

/** Below this many characters, a walk over the parsed value is quicker than a search of the text. */
const shortText = 4096;

// "ignoreBOM" leaves a byte order mark in the text, so that JSON.parse refuses it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function serialize(value: unknown): Uint8Array {
  try {
    if (walk(value, 1, maxVisits) < 0) refuseTrouble(value);
    const text = JSON.stringify(value);
    // JSON.stringify writes a lone surrogate, and nothing else, as \ud…; but `\\ud` is a backslash, and then "ud".
    if (text.includes("\\ud")) refuseTrouble(value);
    return toBytes(text);
  } catch (cause) {
    if (cause instanceof SerializationError) throw cause;
    // A value too large for one string, a proxy that throws, or almost no stack left.
    throw new SerializationError(`JSON cannot keep this value: ${sentence(messageOf(cause))}`, { cause });
  }
}

function deserialize(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  const value = parse(text);
  const hasEscapes = text.includes("\\");
  if (hasEscapes && mayHaveLoneSurrogates(text)) return readWithCare(text, value);
  if (!hasEscapes && !mayHaveTrouble(text)) return value;
  return isInOrder(value, 1, hasEscapes) ? value : readWithCare(text, value);
}

/** The slow path: refuses what cannot be saved, and corrects what JSON.parse may have read wrongly. */
function readWithCare(text: string, parsed: unknown): unknown {
  refuseCorruption(parsed); // first, since parseByHand is recursive
  if (JSON.stringify(parsed) === text) return parsed; // then it was read correctly
  const value = parseByHand(text);
  refuseCorruption(value);
  return value;
}

function decode(bytes: Uint8Array): string {
  if (isAscii(bytes)) return asBuffer(bytes).toString("latin1"); // much quicker than decoding UTF-8
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CorruptStateError(
      "the stored data is not valid UTF-8: it is damaged, or Holdfast did not write it",
      { cause },
    );
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptStateError(
      "the stored data is not valid JSON: it is damaged, or Holdfast did not write it",
      { cause },
    );
  }
}

/** Returns if the value is valid after all. */
function refuseTrouble(value: unknown): void {
  const trouble = findTrouble(value);
  if (trouble === undefined) return;
  const { path, found, advice } = trouble;
  throw new SerializationError(
    `JSON cannot keep this value: ${path} ${found}. ${advice}, or use your own serializer.`,
  );
}

/** The same for a stored value. */
function refuseCorruption(value: unknown): void {
  const trouble = findTrouble(value);
  if (trouble === undefined) return;
  const { path, found } = trouble;
  throw new CorruptStateError(`The stored JSON was not written by this serializer: ${path} ${found}.`);
}

/** The quick walk over a user's value: returns what is left of `visits`, or a negative number. */
function walk(value: unknown, depth: number, visits: number): number {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return visits;
  if (typeof value === "number") return isKept(value) ? visits : suspicious;
  if (typeof value !== "object" || depth > maxDepth || visits === 0) return suspicious;
  return Array.isArray(value) ? walkArray(value, depth, visits) : walkObject(value, depth, visits);
}

function walkArray(array: readonly unknown[], depth: number, visits: number): number {
  if (Object.getPrototypeOf(array) !== Array.prototype || isMarked(array)) return suspicious;
  // Unequal if there are named properties; holes are noticed below, since they read as undefined.
  if (Object.values(array).length !== array.length) return suspicious;
  let left = visits - 1;
  for (let index = 0; index < array.length && left >= 0; index += 1) {
    left = walk(array[index], depth + 1, left);
  }
  return left;
}

function walkObject(object: object, depth: number, visits: number): number {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && (prototype !== null || "rawJSON" in object)) return suspicious;
  if (isMarked(object)) return suspicious;
  let left = visits - 1;
  for (const key in object) {
    const property = Object.getOwnPropertyDescriptor(object, key); // unlike object[key], it calls no getter
    if (property === undefined) continue; // inherited: Object.prototype was extended
    if (property.value === undefined) {
      if (property.get === undefined && property.set === undefined) continue;
      return suspicious;
    }
    if (key === "__proto__") return suspicious;
    left = walk(property.value, depth + 1, left);
    if (left < 0) return left;
  }
  return left;
}

/** Whether it has symbol keys, or a toJSON method. */
function isMarked(value: object): boolean {
  const { toJSON } = value as { readonly toJSON?: unknown };
  return typeof toJSON === "function" || Object.getOwnPropertySymbols(value).length > 0;
}

function isKept(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

/** The quick walk over the result of JSON.parse, which has no classes, getters, holes or symbols. */
function isInOrder(value: unknown, depth: number, hasEscapes: boolean): boolean {
  if (typeof value === "number") return isKept(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > maxDepth) return false;
  if (Array.isArray(value)) return areInOrder(value, depth + 1, hasEscapes);
  const object = value as Readonly<Record<string, unknown>>;
  for (const key in object) {
    if (key === "__proto__" || !isInOrder(object[key], depth + 1, hasEscapes)) return false;
    if (hasEscapes && key.includes("\\")) return false; // perhaps the wrong key: json-reader.ts
  }
  return true;
}

/** Not every(), which takes twice as long. */
function areInOrder(items: readonly unknown[], depth: number, hasEscapes: boolean): boolean {
  for (const item of items) if (!isInOrder(item, depth, hasEscapes)) return false;
  return true;
}

/** They can come only from escapes, since the bytes are well-formed; `serialize` writes no such escape. */
function mayHaveLoneSurrogates(text: string): boolean {
  return text.includes("\\u") && /\\u[dD]/.test(text);
}

/**
 * For a text without escapes. Spares most large values the walk, which takes as long as parsing for objects with
 * thousands of keys. Each line excludes one problem. A false alarm only costs the walk.
 */
function mayHaveTrouble(text: string): boolean {
  return (
    text.length < shortText ||
    count(text, "{") + count(text, "[") > maxDepth || // nested too deeply
    text.includes("__proto__") ||
    hasMinusZero(text) ||
    largeExponent.test(text) || // 1e999; and -1e-999, which is -0
    hasLongNumber(text)
  );
}

/** With fewer digits of exponent, only a number of more than 200 digits is beyond the range of a double. */
const largeExponent = /\d[eE][-+]?\d{3}/;
const longNumber = 200;

/** How many times `bracket` occurs, up to the number that matters. */
function count(text: string, bracket: string): number {
  let found = 0;
  for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
    found += 1;
    if (found > maxDepth) break;
  }
  return found;
}

/** Whether a number begins with -0: -0, -0.00, -0e5, and the harmless -0.5. Not 2026-01-31. */
function hasMinusZero(text: string): boolean {
  for (let at = text.indexOf("-0"); at !== -1; at = text.indexOf("-0", at + 1)) {
    if (!isDigit(text.charCodeAt(at - 1))) return true;
  }
  return false;
}

/** Whether there are that many digits in a row. Looks for the last of them first, and so skips most of the text. */
function hasLongNumber(text: string): boolean {
  let start = 0;
  while (start + longNumber <= text.length) {
    let at = start + longNumber - 1;
    while (at >= start && isDigit(text.charCodeAt(at))) at -= 1;
    if (at < start) return true;
    start = at + 1;
  }
  return false;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * Uses Buffer, whose pool makes small ones four times as fast as TextEncoder. The result is not a Buffer, since slice()
 * of a Buffer does not copy. A caller that keeps the bytes for long should copy them: they may be a view of 8 KiB.
 */
function toBytes(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = Buffer.from(text, "utf8");
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function messageOf(cause: unknown): string {
  return isError(cause) ? cause.message : "no reason given";
}
