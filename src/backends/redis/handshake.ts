/**
 * What is done once, before the first operation: rights are probed, it is proved that bytes come back as they were, and
 * a server that may forget is warned of. Until that has succeeded operations try it anew.
 *
 * A server that takes no writes, as a replica, may be used for what only reads: that it was one is remembered for a
 * while, in which operations are sent without a probe. A write is then refused by the server itself, and the caller
 * of it connects anew at once; the probes, which each operation would repeat, do so more and more seldom.
 */
import { InvalidArgumentError, UnavailableError } from "../../errors.ts";
import { now } from "../../timers.ts";
import { ScriptRunner } from "./pipeline/script-runner.ts";
import type { RedisArgument, RedisClient, RedisReply } from "./client/port.ts";
import { sentinel } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { text } from "./pipeline/decode.ts";
import { scripts } from "./scripts/generated.ts";

/** All there are, so that none is taken for text on its way. */
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const probeMs = "1000";
/** How long operations are sent to a server that takes no writes before it is probed again. */
const serveMs = 1_000;
/** After a probe that found the wrong server: how long the next ones leave the connection as it is, at first and at last. */
const firstRenewalMs = 1_000;
const lastRenewalMs = 30_000;

export interface HandshakeOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  /** Called at each first connection; the subscription follows it. */
  readonly onConnected: () => void;
  readonly warn: (cause: string, message: string) => void;
}

export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #runner: ScriptRunner;
  #done = false;
  #underWay: Promise<void> | undefined;
  /** Calls that need a server that takes writes. */
  #demanding = 0;
  /** The server takes no writes but may serve, until then. */
  #servesUntil = -Infinity;
  #renewsFrom = -Infinity;
  #renewalMs = firstRenewalMs;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    const onWrongServer = (): void => this.#leaveWrongServer();
    this.#runner = new ScriptRunner(options.client, { phase: "connecting", onWrongServer });
  }

  /** Before an operation: `undefined` when it can be sent now. A server that takes no writes may still serve it. */
  connect(): Promise<void> | undefined {
    const { client } = this.#options;
    if (this.#done) return client.connect();
    if (now() > this.#servesUntil) return this.#before();
    const connecting = client.connect();
    if (connecting === undefined) return undefined;
    this.#servesUntil = -Infinity; // the next connection may lead to another server
    return connecting.then(() => this.#before());
  }

  /** Sends when connected: at once, in this tick, where that is the case. */
  whenConnected<T>(send: () => Promise<T>): Promise<T> {
    const connecting = this.connect();
    return connecting === undefined ? send() : connecting.then(send);
  }

  /** Everything must be in order. */
  async ready(): Promise<void> {
    if (this.#done) return this.#options.client.connect();
    this.#demanding += 1;
    return this.#once().finally(() => (this.#demanding -= 1));
  }

  #once(): Promise<void> {
    return (this.#underWay ??= this.#try().finally(() => (this.#underWay = undefined)));
  }

  async #before(): Promise<void> {
    try {
      await this.#once();
    } catch (error) {
      if (!mayServe(error)) throw error;
      this.#servesUntil = now() + serveMs;
      await this.#options.client.connect(); // who said so may have been left for another server
    }
  }

  #leaveWrongServer(): void {
    if (this.#demanding === 0 && now() < this.#renewsFrom) return;
    this.#renewsFrom = now() + this.#renewalMs;
    this.#renewalMs = Math.min(2 * this.#renewalMs, lastRenewalMs);
    this.#options.client.renew();
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
    const { keys, client } = this.#options;
    const read = (reply: RedisReply): RedisReply => reply;
    const send = (...args: RedisArgument[]): Promise<RedisReply> => this.#runner.command({ args, read });
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
    const { keys } = this.#options;
    const args = [keys.channel];
    return Promise.all([
      this.#runner.run({ script: scripts.probe, keys: [keys.probe], args, read: text }),
      this.#runner.command({
        args: ["EXISTS", keys.probe, ...keys.common],
        read: () => undefined,
      }),
    ]);
  }

  /** It takes a login, and then lacks almost every command. */
  async #isSentinel(error: unknown): Promise<boolean> {
    if (!(error instanceof UnavailableError) || error.code !== "ACCESS_DENIED") return false;
    const info = { args: ["INFO", "server"], read: text };
    return /^redis_mode:sentinel/m.test(await this.#runner.command(info).catch(() => ""));
  }

  /** Who may not ask is not warned. */
  async #checkEviction(): Promise<void> {
    const { client, warn } = this.#options;
    const info = await this.#runner.command({ args: ["INFO", "memory"], read: text }).catch(() => "");
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction";
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    if (policy === "noeviction" || limit === 0) return;
    const what = `its maxmemory-policy is ${policy}. Set it to noeviction.`;
    warn("redis-eviction", `${client.name} may evict locks and states when its memory is full: ${what}`);
  }
}

function mayServe(error: unknown): boolean {
  return error instanceof UnavailableError && ["READ_ONLY", "OUT_OF_MEMORY"].includes(error.code);
}

function describe(reply: RedisReply): string {
  if (Buffer.isBuffer(reply)) return "other bytes";
  return typeof reply === "string" ? "a string" : reply === null ? "nothing" : typeof reply;
}
