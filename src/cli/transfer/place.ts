/**
 * The store that states are copied from or to: opened as clients open it, so that shards are checked. A SQLite file is not made
 * where states are read, and a dry run makes nothing at all.
 */
import type { Backend } from "../../backends/contract.ts";
import { InvalidArgumentError } from "../../errors.ts";
import { backendOf } from "../../open.ts";
import { Part } from "../../resharding/part.ts";
import { backendAt, backendsOf, missingFiles, requireFiles, type StoreValues } from "../store-options.ts";

/** For each call of a store, in milliseconds: a server that restarts meanwhile is waited for. */
const operationMs = 10_000;

/** What the place is for. */
export type Use = "read" | "write" | "dry run";

/** Opens the store, and closes it afterwards. */
export async function withPlace<T>(
  values: StoreValues,
  use: Use,
  fn: (part: Part) => Promise<T>,
): Promise<T> {
  const backend = await backendFor(values, use);
  const { prefix } = values;
  const label = prefix === undefined ? backend.name : `${backend.name} (prefix ${prefix})`;
  const part = new Part(label, backend, operationMs);
  try {
    await part.ready();
    return await fn(part);
  } finally {
    await part.close();
  }
}

async function backendFor(values: StoreValues, use: Use): Promise<Backend> {
  if (use === "read") requireFiles(values);
  if (use !== "dry run") return backendAt(values, operationMs);
  return missingFiles(values).length > 0 || (await isNewStore(values))
    ? backendOf("memory:", {})
    : backendAt(values, operationMs);
}

/** Whether it is a store of several shards of which nothing exists: its first client would write their marks. */
async function isNewStore(values: StoreValues): Promise<boolean> {
  const backends = backendsOf(values, operationMs);
  const parts = backends.map((backend) => new Part(backend.name, backend, operationMs));
  try {
    if (parts.length === 1) return false;
    const marks = await Promise.all(parts.map((part) => part.mark()));
    if (!marks.includes(null)) return false;
    for (const part of parts) if (!(await part.isEmpty())) throw notComplete();
    return true;
  } finally {
    await Promise.all(parts.map((part) => part.close()));
  }
}

function notComplete(): InvalidArgumentError {
  return new InvalidArgumentError(
    "The places of --to, or --url, are not the shards of one store: some have no mark, but states or locks.",
  );
}
