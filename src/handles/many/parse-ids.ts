/** The arguments that are many: ids and entries, from any iterable. */
import { InvalidArgumentError } from "../../errors.ts";
import { parseId } from "../../names.ts";
import { show } from "../../options.ts";

/** All of them. `what`: "loadMany() takes ids". */
export function parseIterable(given: unknown, what: string): readonly unknown[] {
  const isIterable = typeof given === "object" && given !== null && Symbol.iterator in given;
  if (isIterable) return [...(given as Iterable<unknown>)];
  throw new InvalidArgumentError(`${what} in an array or another iterable; got ${show(given)}.`);
}

export function parseIds(given: unknown, call: string): readonly string[] {
  return parseIterable(given, `${call} takes ids`).map((id) => parseId(id, "A state's id"));
}
