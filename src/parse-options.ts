/**
 * How every options object is checked, whatever its options are: each by its own parser, and no other name is allowed.
 *
 * `options.ts` has the parsers of the options that stores and handles share.
 */
import { InvalidArgumentError } from "./errors.ts";

/** Parses one option: returns the valid value, or throws an InvalidArgumentError that says what is allowed. */
export type Parser<T> = (value: unknown, name: string) => T;

/** Options after parsing: a property is there if it was given, and is never `undefined`. */
export type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Checks an options object with its parsers. A missing option and `undefined` are the same. */
export function parseOptions<T extends object>(
  what: string,
  options: unknown,
  parsers: { readonly [K in keyof T]-?: Parser<Exclude<T[K], undefined>> },
): Given<T> {
  if (options === undefined) return {} as Given<T>;
  if (typeof options !== "object" || options === null) {
    const hint =
      typeof options === "function" ? " Did you mean { initial: … }, or should the function come first?" : "";
    throw new InvalidArgumentError(`${what} takes an options object; got ${show(options)}.${hint}`);
  }
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(parsers, name)) {
      const known = Object.keys(parsers).join(", ");
      throw new InvalidArgumentError(`${what} has no option ${show(name)}; it takes: ${known}.`);
    }
    if (value !== undefined) parsed[name] = parsers[name as keyof T](value, name);
  }
  return parsed as Given<T>;
}

/** A value for a message: short, on one line, never a whole object. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "bigint" ? `${value.toString()}n` : String(value);
}
