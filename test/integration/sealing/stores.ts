// Stores on every backend, with their stored bytes within reach.

import { randomBytes } from "node:crypto";

import { afterAll, afterEach, beforeAll } from "vitest";

import { open, type OpenOptions, type Serializer, type State, type Store } from "../../../src/index.ts";
import { backends, type Storage } from "../../contract/backends.ts";

export const backendNames = Object.keys(backends);

export interface Stores {
  /** A store of this storage, which is closed after the test. */
  open(options?: OpenOptions): Store;
  /** The stored bytes of a state, which can be read and written as they are. */
  raw(id: string, serializer?: string): State<Uint8Array, Uint8Array | undefined>;
}

/** Call it at the top of a `describe`. */
export function storesOn(name: string): Stores {
  let storage: Storage | undefined;
  const opened: Store[] = [];
  beforeAll(async () => {
    storage = await backends[name]?.create();
  });
  afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));
  afterAll(() => storage?.end());
  const openStore = (options?: OpenOptions): Store => {
    if (storage === undefined) throw new Error(`no storage for ${name}`);
    const store = open(storage.createBackend(), options);
    opened.push(store);
    return store;
  };
  return {
    open: openStore,
    raw: (id, serializer = "sealed-json") =>
      openStore().state<Uint8Array>(id, { serializer: asItIs(serializer) }),
  };
}

export interface TestKey {
  readonly id: string;
  readonly key: Uint8Array;
}

export function newKey(id: string): TestKey {
  return { id, key: randomBytes(32) };
}

/** Reads and writes the bytes that another serializer has stored. */
export function asItIs(name: string): Serializer {
  return { name, serialize: (value) => value as Uint8Array, deserialize: (bytes) => bytes };
}
