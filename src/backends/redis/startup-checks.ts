/**
 * Checks before the first operation: what the scripts need of the server is probed, bytes are proved to be preserved, and
 * there is a warning if the server may evict keys or does not send wakes. Until all have passed, each operation repeats
 * them. An error or a warning names the server, as far as it says what it is.
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
import { hasIndex, isBeingBuilt } from "./client/index-mismatch.ts";
import { sentinelFailure, wakesRefused } from "./client/errors.ts";
import type { Keys } from "./protocol/keys.ts";
import { evictionOf } from "./eviction.ts";
import { isOnlyShard } from "../shard-mark.ts";
import { list, text } from "./protocol/reply-values.ts";
import { claimIndex, mayUseIndex } from "./indexing/claim.ts";
import { scripts } from "./scripts/generated.ts";
import { identify, withServerNamed, type ServerIdentity } from "./server-identity.ts";

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
  /** Whether it is opened as one shard of a store. If not, it must not be one. */
  readonly isShard: boolean;
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
    const info = this.#info();
    try {
      await this.#check(info);
    } catch (error) {
      const server = identify(await info);
      if (server.isSentinel && isDenied(error)) throw sentinelFailure(client.name);
      throw withServerNamed(error, client.name, server);
    }
    this.#isDone = true;
  }

  /** Without sections, since Redis before 7 replies with at most one. Empty if it is not permitted. */
  #info(): Promise<string> {
    return this.#runner.command({ args: ["INFO"], read: text }).catch(() => "");
  }

  async #check(info: Promise<string>): Promise<void> {
    const whole = this.#checkWhole();
    const probing = this.#probe();
    Promise.all([whole, probing]).catch(() => undefined); // awaited below
    await this.#proveBytes().catch(async (error: unknown) => {
      if (mayRead(error)) await whole; // nor may it be read as a whole store
      throw error;
    });
    await whole;
    this.#options.onConnected();
    const silence = await probing;
    const known = await info;
    this.#checkEviction(known);
    if (silence !== undefined) this.#warnOfSilence(silence, identify(known));
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
      `${client.name}: the client that was passed to open(), or a proxy before the server, changes ${what}. Pass a client made by createClient() of ` +
        `"@redis/client" (or "redis") 5 or 6, or a Redis of "ioredis" 5 or 6. A wrapper must pass on the second ` +
        `argument of sendCommand() and send all commands over one connection.`,
    );
  }

  /** Resolves to the reason why wakes cannot be sent, if there is one. */
  #probe(): Promise<string | undefined> {
    const { keys, settings } = this.#options;
    return this.#runner.run({
      script: scripts.probe,
      keys: [keys.probe, keys.stamp],
      args: probeArguments(keys, settings),
      read: (reply) => (Array.isArray(reply) ? text(reply[1] as RedisReply) : undefined),
    });
  }

  /**
   * The option `index` is compared with what the store has. One shard of a store is refused unless it was opened as such. This reads keys of several slots, which also detects a
   * cluster of one node: that passes all other checks and refuses the first lock.
   */
  async #checkWhole(): Promise<void> {
    const { keys, client, isShard } = this.#options;
    const args = ["MGET", keys.mark, keys.probe, ...keys.common, keys.otherStamp, keys.building];
    const [hasMark, , isStored, , isOther, isBuilding] = await this.#runner.command({
      args,
      read: (reply) => list(reply).map((value) => value !== null),
    });
    if (hasMark === true && !isShard) throw isOnlyShard(client.name);
    if (isOther === true && !keys.isIndexed) throw hasIndex(client.name);
    if (!keys.isIndexed) return;
    if (isBuilding === true) throw isBeingBuilt(client.name);
    if (isStored !== true) await claimIndex(this.#runner, keys, client.name);
    await mayUseIndex(this.#runner, keys);
  }

  #checkEviction(info: string): void {
    const { client, warn } = this.#options;
    const { policy, limit } = evictionOf(info) ?? { policy: "noeviction", limit: 0 };
    if (policy === "noeviction" || limit === 0) return;
    const what = `its maxmemory-policy is ${policy}. Set it to noeviction.`;
    warn("redis-eviction", `${client.name} may evict locks and states when its memory is full: ${what}`);
  }

  #warnOfSilence(why: string, server: ServerIdentity): void {
    const { client, keys, warn } = this.#options;
    const error = wakesRefused(client.name, why, keys.channel);
    const { message } = withServerNamed(error, client.name, server) as Error;
    warn("redis-no-wakes", message);
  }
}

/** `every`: all failures are returned, not only the first. */
export function probeArguments(keys: Keys, { neverKey }: ScriptSettings, every = false): readonly string[] {
  return [keys.channel, neverKey === undefined ? `${keys.probe}:undeclared` : "", every ? "every" : ""];
}

function isDenied(error: unknown): boolean {
  return error instanceof UnavailableError && error.code === "ACCESS_DENIED";
}

function mayRead(error: unknown): boolean {
  return error instanceof UnavailableError && ["READ_ONLY", "OUT_OF_MEMORY"].includes(error.code);
}

function describe(reply: RedisReply): string {
  if (Buffer.isBuffer(reply)) return "other bytes";
  return typeof reply === "string" ? "a string" : reply === null ? "nothing" : typeof reply;
}
