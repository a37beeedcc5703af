/** The arguments that are many: ids and entries, from any iterable. */
import { InvalidArgumentError } from "../../errors.ts";
import { show } from "../../options.ts";
import type { Scope } from "../scope.ts";

/** All of them. `what`: "loadMany() takes ids". */
export function parseIterable(given: unknown, what: string): readonly unknown[] {
  const isIterable = typeof given === "object" && given !== null && Symbol.iterator in given;
  if (isIterable) return [...(given as Iterable<unknown>)];
  throw new InvalidArgumentError(`${what} in an array or another iterable; got ${show(given)}.`);
}

/** Returns the keys of the ids. */
export function parseIds(scope: Scope, given: unknown, call: string): readonly string[] {
  return parseIterable(given, `${call} takes ids`).map((id) => scope.key(id, "A state's id"));
}
