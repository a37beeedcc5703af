// A storage of each kind, for tests of what parts of the package do together: the backends, and Redis with two shards.

import { afterAll, afterEach, beforeAll } from "vitest";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { backends } from "../../contract/backends.ts";
import { startRedis } from "../../support/redis-server.ts";

interface Place {
  open(options?: OpenOptions): Store;
  end(): Promise<void>;
}

async function twoShards(): Promise<Place> {
  const server = await startRedis({ prefixes: ["holdfast:", "{holdfast:"] });
  return {
    open: (options) => open(server.url, { ...options, shards: 2 }),
    end: async () => server.stop(),
  };
}

async function onBackend(name: string): Promise<Place> {
  const storage = await backends[name]?.create();
  if (storage === undefined) throw new Error(`no storage for ${name}`);
  return {
    open: (options) => open(storage.createBackend(), options),
    end: () => storage.end(),
  };
}

export const placeNames = [...Object.keys(backends), "two shards on Redis"];

/** Call it at the top of a `describe`. Returns what opens a store, which is closed after the test. */
export function storesAt(name: string): (options?: OpenOptions) => Store {
  let place: Place | undefined;
  const opened: Store[] = [];
  beforeAll(async () => {
    place = await (name in backends ? onBackend(name) : twoShards());
  });
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));
  afterAll(() => place?.end());
  return (options) => {
    if (place === undefined) throw new Error(`no storage for ${name}`);
    const store = place.open(options);
    opened.push(store);
    return store;
  };
}

/**
 * The remaining life of a state in seconds, as a listing says it; "none": it never expires. Rounded up to tens, since a busy
 * machine takes seconds for a few calls.
 */
export async function lifeOf(store: Pick<Store, "states">, id: string): Promise<number | "none" | "absent"> {
  for await (const { expiresInMs } of store.states({ idPrefix: id }))
    return expiresInMs === null ? "none" : Math.ceil(expiresInMs / 10_000) * 10;
  return "absent";
}

export async function listed(list: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids.sort();
}

/** The code of the error, or what the call resolved with. */
export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => (error as { readonly code?: unknown }).code ?? error);
}
