/**
 * The environment of one case: new ids, new clients of the shared storage, stores that use them, and the clean-up at
 * the end.
 */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import type { Backend } from "../backends/contract.ts";
import { open } from "../open.ts";
import type { OpenOptions } from "../options.ts";
import type { Store } from "../store/store.ts";
import { eventually } from "./assertions.ts";
import { FaultyBackend } from "./faulty-backend.ts";
import { ListeningClient } from "./contract-client.ts";
import type { SuiteHooks, SuiteOptions } from "./options.ts";

/** A store whose backend fails on command. */
export interface FaultyStore {
  readonly store: Store;
  readonly faults: FaultyBackend;
}

export class Fixture {
  readonly pushes: boolean;
  readonly #options: SuiteOptions;
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #name = randomBytes(4).toString("hex");
  #ids = 0;

  constructor(options: SuiteOptions) {
    this.#options = options;
    this.pushes = options.pushes;
  }

  /** A new id. */
  id(): string {
    this.#ids += 1;
    return `suite:${this.#name}:${String(this.#ids)}`;
  }

  /** A hook that is one of the case's needs. */
  hook<K extends keyof SuiteHooks>(name: K): NonNullable<SuiteHooks[K]> {
    const hook = this.#options.hooks?.[name];
    assert.ok(hook, `the case does not name ${name} among its needs`);
    return hook;
  }

  /** A client of the contract. */
  async client(): Promise<ListeningClient> {
    const backend = await this.#backend();
    this.#ends.push(() => backend.close());
    return new ListeningClient(backend);
  }

  clients(count: 2): Promise<[ListeningClient, ListeningClient]>;
  clients(count: 3): Promise<[ListeningClient, ListeningClient, ListeningClient]>;
  clients(count: number): Promise<ListeningClient[]>;
  clients(count: number): Promise<ListeningClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.client()));
  }

  async store(options: OpenOptions = {}): Promise<Store> {
    return this.#open(await this.#backend(), options);
  }

  stores(count: 2, options?: OpenOptions): Promise<[Store, Store]>;
  stores(count: 3, options?: OpenOptions): Promise<[Store, Store, Store]>;
  stores(count: number, options?: OpenOptions): Promise<Store[]>;
  stores(count: number, options: OpenOptions = {}): Promise<Store[]> {
    return Promise.all(Array.from({ length: count }, () => this.store(options)));
  }

  async faultyStore(options: OpenOptions = {}): Promise<FaultyStore> {
    const faults = new FaultyBackend(await this.#backend());
    return { store: this.#open(faults, options), faults };
  }

  /** Waits until the lock is not held and has no waiters [L7]. */
  async becomesFree(id: string): Promise<void> {
    const client = await this.client();
    await eventually(async () => {
      const hold = client.ticketFor(id);
      const reply = await hold.ask({ queue: false });
      if (reply.status === "granted") await hold.released();
      assert.equal(reply.status, "granted", `the lock is not free: ${JSON.stringify(reply)}`);
      assert.equal(reply.waiting, 0, "a waiter is left for the lock");
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
  }

  #open(backend: Backend, options: OpenOptions): Store {
    const store = open(backend, options);
    this.#ends.push(() => store.close({ drainMs: 0 }));
    return store;
  }

  async #backend(): Promise<Backend> {
    return this.#options.createBackend();
  }
}
