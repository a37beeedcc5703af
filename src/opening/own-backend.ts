/** A backend that a user passes to `open()`: it belongs to one store, and names its place itself. */
import type { Backend } from "../backends/contract.ts";
import { InvalidArgumentError } from "../errors.ts";
import { onePerProcess } from "../process/one-per-process.ts";

/** A backend keeps the tickets of one store, so a second store on it would confuse them. */
const opened = onePerProcess("opened", 1, () => new WeakSet<object>());

/** Options that say where a store is, and how its data is kept there. */
const ofPlaces = ["prefix", "shards", "declareKeys", "index"] as const;

export function isBackend(value: unknown): value is Backend {
  const backend = value as Partial<Backend> | null;
  return (
    typeof backend === "object" &&
    typeof backend?.acquireLock === "function" &&
    typeof backend.writeState === "function"
  );
}

export function ownBackend(
  backend: Backend,
  options: Readonly<Partial<Record<(typeof ofPlaces)[number], unknown>>>,
): Backend {
  for (const name of ofPlaces) {
    if (options[name] === undefined) continue;
    throw new InvalidArgumentError(
      `${name} applies only to a URL or a Redis client; your own backend chooses its own names.`,
    );
  }
  if (opened.has(backend)) {
    throw new InvalidArgumentError(
      "This backend already belongs to a store: create a new one for each open().",
    );
  }
  opened.add(backend);
  return backend;
}
