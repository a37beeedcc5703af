/**
 * Checks before the first operation: permissions are probed, bytes are proved to be preserved, and there is a warning
 * if the server may evict keys. Until all have passed, each operation repeats them.
 *
 * A read-only server, such as a replica, may be used for reads. It is remembered for a while, during which operations
 * are sent without a probe. If the server then refuses a write, its caller reconnects at once. Probes reconnect less
 * and less often, since every operation repeats them.
 */
import { InvalidArgumentError, UnavailableError } from "../../errors.ts";
import { now } from "../../timers.ts";
import { ScriptRunner } from "./protocol/script-runner.ts";
import type { ScriptSettings } from "./protocol/script-settings.ts";
import type { RedisArgument, RedisClient, RedisReply } from "./client/client-port.ts";
import { sentinelFailure } from "./client/errors.ts";
import type { Keys } from "./protocol/keys.ts";
import { text } from "./protocol/decode.ts";
import { scripts } from "./scripts/generated.ts";

/** All 256, to detect a client that converts any of them to text. */
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const probeMs = "1000";
/** How long a read-only server is used for reads before it is probed again. */
const readOnlyMs = 1_000;
/** After a probe found the wrong server: how long the next probes do not reconnect, at first and at most. */
const firstReconnectPauseMs = 1_000;
const lastReconnectPauseMs = 30_000;

export interface StartupCheckOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly settings: ScriptSettings;
  /** Called when bytes are proved to be preserved; the subscription starts then. */
  readonly onConnected: () => void;
  readonly warn: (cause: string, message: string) => void;
}

export class StartupChecks {
  readonly #options: StartupCheckOptions;
  readonly #runner: ScriptRunner;
  #isDone = false;
  #underWay: Promise<void> | undefined;
  /** Pending calls of ready(), which needs a server that accepts writes. */
  #readyCalls = 0;
  /** Until then, the server is used although it does not accept writes. */
  #readsUntil = -Infinity;
  #nextReconnectAt = -Infinity;
  #reconnectPauseMs = firstReconnectPauseMs;

  constructor(options: StartupCheckOptions) {
    this.#options = options;
    const onWrongServer = (): void => this.#leaveWrongServer();
    const { client, settings } = options;
    this.#runner = new ScriptRunner(client, { ...settings, phase: "connecting", onWrongServer });
  }

  /** Before an operation: `undefined` if it can be sent now. A read-only server is accepted, since it may be a read. */
  connect(): Promise<void> | undefined {
    const { client } = this.#options;
    if (this.#isDone) return client.connect();
    if (now() > this.#readsUntil) return this.#prepare();
    const connecting = client.connect();
    if (connecting === undefined) return undefined;
    this.#readsUntil = -Infinity; // the next connection may lead to another server
    return connecting.then(() => this.#prepare());
  }

  /** Sends once connected: in this tick if there is a connection. */
  whenConnected<T>(send: () => Promise<T>): Promise<T> {
    const connecting = this.connect();
    return connecting === undefined ? send() : connecting.then(send);
  }

  /** Every check must pass. */
  async ready(): Promise<void> {
    if (this.#isDone) return this.#options.client.connect();
    this.#readyCalls += 1;
    return this.#tryOnce().finally(() => (this.#readyCalls -= 1));
  }

  #tryOnce(): Promise<void> {
    return (this.#underWay ??= this.#try().finally(() => (this.#underWay = undefined)));
  }

  async #prepare(): Promise<void> {
    try {
      await this.#tryOnce();
    } catch (error) {
      if (!mayRead(error)) throw error;
      this.#readsUntil = now() + readOnlyMs;
      await this.#options.client.connect(); // the failed probe may have replaced the connection
    }
  }

  #leaveWrongServer(): void {
    if (this.#readyCalls === 0 && now() < this.#nextReconnectAt) return;
    this.#nextReconnectAt = now() + this.#reconnectPauseMs;
    this.#reconnectPauseMs = Math.min(2 * this.#reconnectPauseMs, lastReconnectPauseMs);
    this.#options.client.reconnect();
  }

  async #try(): Promise<void> {
    const { client } = this.#options;
    await client.connect();
    try {
      await this.#check();
    } catch (error) {
      throw (await this.#isSentinel(error)) ? sentinelFailure(client.name) : error;
    }
    this.#isDone = true;
  }

  async #check(): Promise<void> {
    const others = Promise.all([this.#probe(), this.#checkEviction()]);
    others.catch(() => undefined); // awaited below
    await this.#proveBytes();
    this.#options.onConnected();
    await others;
  }

  /** Another kind of client, or a wrapper, may convert bytes to text: states would then be read wrongly [S1]. */
  async #proveBytes(): Promise<void> {
    const { keys, client } = this.#options;
    const read = (reply: RedisReply): RedisReply => reply;
    const send = (...args: RedisArgument[]): Promise<RedisReply> => this.#runner.command({ args, read });
    const [, got, deleted] = await Promise.all([
      send("SET", keys.probe, everyByte, "PX", probeMs),
      send("GET", keys.probe),
      send("DEL", keys.probe),
    ]);
    const isChanged = !Buffer.isBuffer(got) || !got.equals(everyByte);
    if (!isChanged && typeof deleted === "number") return;
    const what = isChanged
      ? `binary data: a Buffer was requested, but it returned ${describe(got)}`
      : `replies: a number was requested, but it returned ${describe(deleted)}`;
    throw new InvalidArgumentError(
      `${client.name}: the client that was passed to open() changes ${what}. Pass a client made by createClient() of ` +
        `"@redis/client" (or "redis") 5 or 6, or a Redis of "ioredis" 5 or 6. A wrapper must pass on the second ` +
        `argument of sendCommand() and send all commands over one connection.`,
    );
  }

  /**
   * The EXISTS over several slots detects a cluster of one node, which passes all other checks and refuses the first
   * lock.
   */
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

  /** A Sentinel accepts a login, but lacks almost every command. */
  async #isSentinel(error: unknown): Promise<boolean> {
    if (!(error instanceof UnavailableError) || error.code !== "ACCESS_DENIED") return false;
    const info = { args: ["INFO", "server"], read: text };
    return /^redis_mode:sentinel/m.test(await this.#runner.command(info).catch(() => ""));
  }

  /** Does not warn if INFO is not permitted. */
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

function mayRead(error: unknown): boolean {
  return error instanceof UnavailableError && ["READ_ONLY", "OUT_OF_MEMORY"].includes(error.code);
}

function describe(reply: RedisReply): string {
  if (Buffer.isBuffer(reply)) return "other bytes";
  return typeof reply === "string" ? "a string" : reply === null ? "nothing" : typeof reply;
}
