/**
 * What is done once, before the first operation: rights are probed, it is proved that bytes come back as they were, and
 * a server that may forget is warned of. Until that has succeeded every operation tries it anew.
 */
import { InvalidArgumentError, UnavailableError } from "../../errors.ts";
import type { Caller } from "./caller.ts";
import type { RedisArgument, RedisClient, RedisReply } from "./client.ts";
import { sentinel } from "./failures.ts";
import type { Keys } from "./keys.ts";
import { text } from "./reply.ts";
import { scripts } from "./scripts.ts";

/** All there are, so that none is taken for text on its way. */
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const probeMs = "1000";

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

  /** Before an operation: `undefined` when it can be sent now. A server that takes no writes may still serve it. */
  connect(): Promise<void> | undefined {
    return this.#done ? this.#options.client.connect() : this.#before();
  }

  /** Everything must be in order. */
  async ready(): Promise<void> {
    if (this.#done) return this.#options.client.connect();
    this.#underWay ??= this.#try().finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }

  async #before(): Promise<void> {
    try {
      await this.ready();
    } catch (error) {
      const mayServe =
        error instanceof UnavailableError && ["READ_ONLY", "OUT_OF_MEMORY"].includes(error.code);
      if (!mayServe) throw error;
      await this.#options.client.connect(); // who said so may have been left for another server
    }
  }

  async #try(): Promise<void> {
    const { client } = this.#options;
    await client.connect();
    try {
      await this.#check();
    } catch (error) {
      throw (await this.#isSentinel(error)) ? sentinel(client.name) : error;
    }
    this.#done = true;
  }

  async #check(): Promise<void> {
    const others = Promise.all([this.#probe(), this.#checkEviction()]);
    others.catch(() => undefined); // awaited below
    await this.#proveBytes();
    this.#options.onConnected();
    await others;
  }

  /** A client of another kind, or something around a client, may make text of bytes: states would be read wrong [S1]. */
  async #proveBytes(): Promise<void> {
    const { caller, keys, client } = this.#options;
    const read = (reply: RedisReply): RedisReply => reply;
    const send = (...args: RedisArgument[]): Promise<RedisReply> =>
      caller.plain({ args, read, isProbe: true });
    const [, got] = await Promise.all([
      send("SET", keys.probe, everyByte, "PX", probeMs),
      send("GET", keys.probe),
      send("DEL", keys.probe),
    ]);
    if (Buffer.isBuffer(got) && got.equals(everyByte)) return;
    throw new InvalidArgumentError(
      `${client.name}: the client that was passed to open() does not hand bytes on as they are: asked for a Buffer it gave ${describe(got)}. ` +
        `Pass a client made by createClient() of "@redis/client" (or "redis") 5 or 6; what wraps one must hand on the ` +
        `second argument of sendCommand(), and send all commands over one connection.`,
    );
  }

  /** A cluster of one node would pass all else, and refuse the first lock: scripts use keys of several slots at once. */
  #probe(): Promise<unknown> {
    const { caller, keys } = this.#options;
    const args = [keys.channel];
    return Promise.all([
      caller.run({ script: scripts.probe, keys: [keys.probe], args, read: text, isProbe: true }),
      caller.plain({
        args: ["EXISTS", keys.probe, ...keys.common],
        read: () => undefined,
        isProbe: true,
      }),
    ]);
  }

  /** It takes a login, and then lacks almost every command. */
  async #isSentinel(error: unknown): Promise<boolean> {
    if (!(error instanceof UnavailableError) || error.code !== "ACCESS_DENIED") return false;
    const info = { args: ["INFO", "server"], read: text, isProbe: true };
    return /^redis_mode:sentinel/m.test(await this.#options.caller.plain(info).catch(() => ""));
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

function describe(reply: RedisReply): string {
  if (Buffer.isBuffer(reply)) return "other bytes";
  return typeof reply === "string" ? "a string" : reply === null ? "nothing" : typeof reply;
}
