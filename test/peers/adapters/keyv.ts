// A storage adapter of Keyv, and so the store of a cache-manager, in 30 lines. Keyv gives it texts, and keys with their
// namespace before them. Keyv's own suite (@keyv/test-suite 2.1.2) passes with it on every backend.

import { EventEmitter } from "node:events";

import type { State, Store, StoreView } from "../../../src/index.ts";

export class KeyvStore extends EventEmitter {
  readonly opts = {};
  namespace?: string;
  readonly #view: StoreView;
  constructor(store: Store) {
    super();
    this.#view = store.within("keyv:");
  }
  readonly get = (key: string): Promise<string | undefined> => this.#state(key).load();
  readonly has = (key: string): Promise<boolean> => this.#state(key).exists();
  readonly delete = (key: string): Promise<boolean> => this.#state(key).delete();
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    return (await this.#state(key).save(value, { ttlMs: ttl ?? "none" })) > 0;
  }
  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    const loaded = await this.#view.loadMany<string>(this.#ids(keys), { serializer: "text" });
    return loaded.map(({ value }) => value); // what cannot be read is a miss, as caches have it
  }
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return (await this.#view.deleteMany(this.#ids(keys))).some(({ deleted }) => deleted);
  }
  async clear(): Promise<void> {
    const idPrefix = this.namespace === undefined ? "" : this.#view.id(`${this.namespace}:`);
    await this.#view.deleteAll({ idPrefix });
  }
  readonly #ids = (keys: readonly string[]): string[] => keys.map((key) => this.#view.id(key));
  readonly #state = (key: string): State<string> =>
    this.#view.state<string>(this.#view.id(key), { serializer: "text" });
}
