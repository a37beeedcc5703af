/** The options that say which store a command works on. */
import { existsSync } from "node:fs";
import { parseSqlitePath } from "../backends/sqlite/path.ts";
import { backendOf, partsOf, open, type Target } from "../open.ts";
import type { Backend } from "../backends/contract.ts";
import type { LazyBackend } from "../backends/lazy.ts";
import { BackendCalls } from "../calls/backend-calls.ts";
import { UnavailableError } from "../errors.ts";
import { prefix as parsePrefix } from "../names.ts";
import { defaults, shards as parseShards, type Given, type OpenOptions } from "../options.ts";
import type { Store } from "../store/store.ts";
import type { Values } from "./command.ts";
import { UsageError } from "./exit-codes.ts";

export const storeOptions = {
  url: {
    type: "string",
    multiple: true,
    value: "URL",
    help: "the store: redis://…, sqlite:PATH …; several for a list of shards. Default: $HOLDFAST_URL, else .holdfast/store.db",
  },
  prefix: { type: "string", value: "TEXT", help: "the store's option prefix. Default: holdfast:" },
  shards: { type: "string", value: "N", help: "the store's option shards. Default: 1" },
} as const;

export type StoreValues = Values<typeof storeOptions>;

/** Opens the store, and closes it afterwards. */
export async function withStore<T>(
  values: StoreValues,
  fn: (store: Store) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  // A command that was started under a lock outlives us for a moment if we are killed.
  const backend = backendAt(values, options.operationMs ?? defaults.operationMs);
  const store = open(backend, { ...options, passOverDead: false });
  try {
    return await fn(store);
  } finally {
    await store.close({ drainMs: 0 });
  }
}

/** An opened store, and what is below it. `calls` repeats what fails, as the store does; it is not the store's own. */
export interface Opened {
  readonly store: Store;
  readonly backend: Backend;
  readonly calls: BackendCalls;
}

/**
 * Opens the store for a command that also needs what no handle tells, and closes it afterwards. A SQLite file must be there,
 * unless the command may create it.
 */
export async function withBackend<T>(
  values: StoreValues,
  fn: (opened: Opened) => Promise<T>,
  { mayCreate = false } = {},
): Promise<T> {
  if (!mayCreate) requireFiles(values);
  const backend = backendAt(values, defaults.operationMs);
  const store = open(backend);
  const calls = new BackendCalls(backend, defaults.operationMs);
  try {
    return await fn({ store, backend, calls });
  } finally {
    calls.close();
    await store.close({ drainMs: 0 });
  }
}

/** The backend of the store, for commands that copy bytes. It is the caller's to close. */
export function backendAt(values: StoreValues, operationMs: number): Backend {
  return backendOf(targetOf(values), { ...placeOptions(values), index: "as stored", operationMs });
}

/** Its backends, one for each shard. They are the caller's to close. */
export function backendsOf(values: StoreValues, operationMs: number): LazyBackend[] {
  return partsOf(targetOf(values), { ...placeOptions(values), index: "as stored", operationMs });
}

/** The number of shards that the options name. */
export function shardCountOf({ url = [], shards }: StoreValues): number {
  return shards === undefined ? Math.max(url.length, 1) : wholeNumber(shards, "--shards");
}

/** The SQLite files of the store that do not exist; the default file, which is made with its folder, is none of them. */
export function missingFiles({ url = [process.env["HOLDFAST_URL"] ?? ""] }: StoreValues): string[] {
  return url.map(sqliteFileOf).flatMap((file) => (file?.isMissing === true ? [file.path] : []));
}

/**
 * For commands that only find something in a store that is there: a path that was mistyped makes no file.
 *
 * @throws UnavailableError if a SQLite file does not exist.
 */
export function requireFiles(values: StoreValues): void {
  placeOptions(values); // wrong usage comes first
  const [missing] = missingFiles(values);
  if (missing === undefined) return;
  throw new UnavailableError(`There is no file ${missing}. To create a store there, use holdfast init.`, {
    lasting: true,
  });
}

/** The file of a `sqlite:` URL; `undefined` for another one. */
export function sqliteFileOf(
  url: string,
): { readonly path: string; readonly isMissing: boolean } | undefined {
  if (!/^sqlite:/i.test(url)) return undefined;
  const path = parseSqlitePath(url);
  return { path, isMissing: !existsSync(path) };
}

function targetOf({ url = [] }: StoreValues): Target | readonly Target[] | undefined {
  const given = url.length > 0 ? url : [process.env["HOLDFAST_URL"] ?? ""];
  if (given.some((one) => /^memory:/i.test(one))) {
    throw new UsageError(
      "memory: is a store of one process alone: when this command ended, nothing would be left of it. " +
        "Give redis://… or sqlite:PATH with --url, or in HOLDFAST_URL.",
    );
  }
  return url.length > 1 ? url : url[0];
}

function placeOptions({ prefix, shards }: StoreValues): Pick<Given<OpenOptions>, "prefix" | "shards"> {
  return {
    ...(prefix === undefined ? {} : { prefix: parsePrefix(prefix, "--prefix") }),
    ...(shards === undefined ? {} : { shards: parseShards(wholeNumber(shards, "--shards"), "--shards") }),
  };
}

/** A value of an option that is a fence or a revision, which have up to 16 digits. */
export function stamp(text: string, name: string): number {
  if (/^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new UsageError(`${name} must be a number such as 1796020000000000; got ${JSON.stringify(text)}.`);
}

/** A value of an option that is a whole number. */
export function wholeNumber(text: string, name: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`${name} must be a whole number; got ${JSON.stringify(text)}.`);
}
