/** The targets of a store with several shards: what a list may contain, and the names and prefixes of its parts. */
import type { Backend } from "./contract.ts";
import { InvalidArgumentError } from "../errors.ts";
import { maxShards, show } from "../options.ts";

/** The name of a backend on a client of the user, which does not say where it is connected. */
export const yourClient = "redis (your client)";

/** A hash tag for each, so that a cluster can have each on another server. */
export function prefixesOf(prefix: string, shards: number): string[] {
  if (shards === 1) return [prefix];
  if (/[{}]/.test(prefix)) {
    throw new InvalidArgumentError(
      `With shards, prefix must have no hash tag, since each shard has one of its own: write ${show(prefix.replace(/[{}]/g, ""))} instead of ${show(prefix)}.`,
    );
  }
  return Array.from({ length: shards }, (_, index) => `{${prefix}${String(index + 1)}}:`);
}

/** Before its targets are parsed. */
export function checkList(targets: readonly unknown[], shards: number | undefined): void {
  if (shards !== undefined)
    throw new InvalidArgumentError("A list of targets has one shard for each: omit the option shards.");
  if (targets.length === 0 || targets.length > maxShards) {
    const what = targets.length === 0 ? "it is empty" : `it has ${targets.length}`;
    throw new InvalidArgumentError(`A list of targets has 1 to ${maxShards}; ${what}.`);
  }
  if (targets.includes(undefined))
    throw new InvalidArgumentError("A list of targets must not have undefined.");
  const again = targets.find(
    (target, index) => typeof target === "object" && targets.indexOf(target) < index,
  );
  if (again !== undefined) throw twice("the same client");
}

/** Two names of one server cannot be told apart here; the mark of each shard shows them when it connects. */
export function checkNames(parts: readonly Backend[]): void {
  const names = parts.map(({ name }) => name).filter((name) => name !== "memory:" && name !== yourClient);
  const again = names.find((name, index) => names.indexOf(name) < index);
  if (again !== undefined) throw twice(again);
}

function twice(what: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `The list of targets has ${what} twice: each shard needs a place of its own.`,
  );
}

/** Of a store with these shards. */
export function nameOf(parts: readonly Backend[]): string {
  const names = [...new Set(parts.map(({ name }) => name))];
  // More than a few are not written out.
  const shown = names.length > 4 ? [...names.slice(0, 3), "…"] : names;
  return `${shown.join(", ")} (${String(parts.length)} shards)`;
}
