/**
 * Ids made of parts, of any text: escaped, so that different parts never make the same id.
 *
 * `%` occurs in such an id only where a part was escaped: `%3A` (UTF-8 bytes in hexadecimal), `%uD800` (a lone
 * surrogate), `%_` (an empty part), `%~` (a hash follows). So none of them can be mistaken for another, or for text.
 * The format is a stored one: ids that were made by an earlier version must be made again.
 */
import { createHash } from "node:crypto";
import { InvalidArgumentError } from "../errors.ts";
import { maxIdBytes } from "../names.ts";
import { show } from "../parse-options.ts";

/** A part of an id. A number stands for its decimal digits: `42` and `"42"` are the same part. */
export type IdPart = string | number | bigint;

/**
 * Makes an id of parts, of any text: joined by `:`, with what would be ambiguous or not allowed escaped.
 *
 * Different parts always make different ids, and `id("a", "b")` begins with `id("a") + ":"`, as a listing or a view needs
 * it. An id that would be longer than 512 bytes keeps its start and ends in a SHA-256 of the whole; only for such ids the
 * second promise does not hold beyond the start.
 *
 * @param parts strings, also empty ones; safe integers and bigints, which stand for their digits.
 * @returns an id of 1–512 bytes.
 * @throws InvalidArgumentError without parts, or for a part of another kind.
 * @example
 * ```ts
 * store.state(id("user", 42)); // user:42
 * store.state(id("page", "https://example.org/a b")); // page:https%3A//example.org/a b
 * ```
 */
export function id(...parts: readonly IdPart[]): string {
  return idOf(parts, maxIdBytes);
}

/** The same with at most `maxBytes` bytes, which leave room for a hash. */
export function idOf(parts: readonly IdPart[], maxBytes: number): string {
  if (parts.length === 0)
    throw new InvalidArgumentError('id() takes at least one part, as in id("user", 42).');
  const whole = parts.map(escaped).join(":");
  return Buffer.byteLength(whole) <= maxBytes ? whole : hashed(whole, maxBytes);
}

/** What no part may contain as it is; with `u`, a surrogate matches only if it is a lone one. */
// eslint-disable-next-line no-control-regex -- control characters are what is escaped
const special = /[%:{}\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/gu;

function escaped(part: unknown, index: number): string {
  const text = textOf(part, index);
  return text === "" ? "%_" : text.replace(special, escapeOf);
}

function escapeOf(character: string): string {
  if (character.isWellFormed()) return encodeURIComponent(character);
  return `%u${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function textOf(part: unknown, index: number): string {
  if (typeof part === "string") return part;
  if (typeof part === "bigint" || Number.isSafeInteger(part)) return String(part);
  const hint = typeof part === "number" ? " Larger and broken numbers lose digits: pass them as text." : "";
  throw new InvalidArgumentError(
    `Part ${index + 1} of id() must be a string, a safe integer or a bigint; got ${show(part)}.${hint}`,
  );
}

/** As much of the start as fits, and a hash of the whole. */
function hashed(whole: string, maxBytes: number): string {
  const end = `%~${createHash("sha256").update(whole).digest("base64url")}`;
  return startOf(whole, maxBytes - end.length) + end;
}

/** What of an escaped text must not be cut. */
const unit = /%(?:[0-9A-F]{2}|u[0-9A-F]{4}|_)|[^%]/gu;

function startOf(whole: string, maxBytes: number): string {
  let [bytes, end] = [0, 0];
  for (const [text] of whole.matchAll(unit)) {
    bytes += Buffer.byteLength(text);
    if (bytes > maxBytes) break;
    end += text.length;
  }
  return whole.slice(0, end);
}
