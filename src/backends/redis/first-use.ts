/**
 * What is done once, before the first operation: rights are probed, and a server that may forget is warned of.
 * Until that has succeeded every operation tries it anew.
 */
import { UnavailableError } from "../../errors.ts";
import type { Caller } from "./caller.ts";
import type { RedisClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { text } from "./reply.ts";
import { scripts } from "./scripts.ts";

export interface FirstUseOptions {
  readonly client: RedisClient;
  readonly caller: Caller;
  readonly keys: Keys;
  /** Called at each first connection; the subscription follows it. */
  readonly onConnected: () => void;
  readonly warn: (cause: string, message: string) => void;
}

export class FirstUse {
  readonly #options: FirstUseOptions;
  #done = false;
  #underWay: Promise<void> | undefined;

  constructor(options: FirstUseOptions) {
    this.#options = options;
  }

  get done(): boolean {
    return this.#done;
  }

  /** Everything must be in order. */
  ready(): Promise<void> {
    if (this.#done) return this.#options.client.connect();
    this.#underWay ??= this.#try().finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }

  /** Before an operation: a server that takes no writes may still serve this one. */
  async before(): Promise<void> {
    try {
      await this.ready();
    } catch (error) {
      const mayServe =
        error instanceof UnavailableError && ["READ_ONLY", "OUT_OF_MEMORY"].includes(error.code);
      if (!mayServe) throw error;
    }
  }

  async #try(): Promise<void> {
    const { client, caller, keys, onConnected } = this.#options;
    await client.connect();
    onConnected();
    const probe = { script: scripts.probe, keys: [keys.probe], args: [keys.channel], read: () => undefined };
    await Promise.all([caller.run(probe), this.#checkEviction()]);
    this.#done = true;
  }

  /** Who may not ask is not warned. */
  async #checkEviction(): Promise<void> {
    const { client, caller, warn } = this.#options;
    const info = await caller.plain({ args: ["INFO", "memory"], read: text }).catch(() => "");
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction";
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    if (policy === "noeviction" || limit === 0) return;
    const what = `its maxmemory-policy is ${policy}. Set it to noeviction.`;
    warn("redis-eviction", `${client.name} may evict locks and states when its memory is full: ${what}`);
  }
}
