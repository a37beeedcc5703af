// Runs the Lua scripts directly, reply by reply, as a client that makes every argument by hand.

import { createClient } from "@redis/client";
import { afterAll, beforeAll, beforeEach } from "vitest";

import type { OperationFields } from "../../../../src/backends/redis/protocol/operation.ts";
import { OperationEncoder } from "../../../../src/backends/redis/pipeline/operation-encoder.ts";
import { repliesOf } from "../../../../src/backends/redis/protocol/decode.ts";
import { scripts } from "../../../../src/backends/redis/scripts/generated.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import {
  A,
  changeOf,
  clientOf,
  common,
  keysOf,
  names,
  own,
  prefix,
  receipt,
  slotOf,
  stampKey,
  type Asked,
  type Change,
  type Reply,
  type Told,
} from "./script-arguments.ts";

type Raw = ReturnType<typeof createClient>;

/** One operation of a script that serves many. */
export interface Single extends Omit<OperationFields, "id"> {
  readonly id: string | undefined;
  readonly keys?: readonly string[];
  readonly common: readonly string[];
  readonly stamps?: number;
  readonly payload?: string;
}

export class ScriptRunner {
  readonly #server: RedisServer;
  readonly #client: Raw;
  readonly #subscriber: Raw;
  readonly #channels: string[] = [];
  #isMonitoring = false;
  /** Runs the scripts, as the user of docs/redis.md; everything else is the test's own business. */
  readonly #app: Raw;

  private constructor(server: RedisServer, clients: { client: Raw; subscriber: Raw; app: Raw }) {
    this.#server = server;
    this.#client = clients.client;
    this.#subscriber = clients.subscriber;
    this.#app = clients.app;
  }

  static async connect(server: RedisServer): Promise<ScriptRunner> {
    const [client, subscriber, app] = [server.adminUrl, server.adminUrl, server.url].map((url) =>
      createClient({ url, disableClientInfo: true, maintNotifications: "disabled" }),
    ) as [Raw, Raw, Raw];
    for (const one of [client, subscriber, app]) {
      one.on("error", () => {});
      await one.connect();
    }
    return new ScriptRunner(server, { client, subscriber, app });
  }

  close(): void {
    this.#client.destroy();
    this.#app.destroy();
    this.#subscriber.destroy();
  }

  command(...args: string[]): Promise<Reply> {
    return this.#client.sendCommand(args);
  }

  async reset(): Promise<void> {
    await this.command("CONFIG", "SET", "maxmemory", "0");
    await this.command("FLUSHALL");
    // Valkey 8 refuses to end a subscription that there is not.
    for (const channel of this.#channels.splice(0)) await this.#subscriber.unsubscribe(channel);
    if (this.#isMonitoring) await this.#subscriber.pUnsubscribe("*");
    this.#isMonitoring = false;
  }

  /** From here on nothing that needs memory may be written. */
  fill(): Promise<Reply> {
    return this.command("CONFIG", "SET", "maxmemory", "1");
  }

  /** What arrives on the channels of these clients from here on. */
  async listen(...clients: string[]): Promise<string[]> {
    const heard: string[] = [];
    for (const client of clients) {
      const channel = `${prefix}wake:${client}`;
      await this.#subscriber.subscribe(channel, (message) => heard.push(message));
      if (!this.#channels.includes(channel)) this.#channels.push(channel);
    }
    return heard;
  }

  /** That client listens no more. */
  async unlisten(client: string): Promise<void> {
    const channel = `${prefix}wake:${client}`;
    await this.#subscriber.unsubscribe(channel);
    const at = this.#channels.indexOf(channel);
    if (at !== -1) this.#channels.splice(at, 1);
  }

  /** What a tool that watches everything sees from here on: it counts as a subscriber of no channel. */
  async monitor(): Promise<string[]> {
    const heard: string[] = [];
    this.#isMonitoring = true;
    await this.#subscriber.pSubscribe("*", (message, channel) => channel !== "settle" && heard.push(message));
    return heard;
  }

  /** After this, whatever was published before has been heard. */
  async settle(): Promise<void> {
    let done: () => void = () => {};
    const heard = new Promise<void>((resolve) => (done = resolve));
    await this.#subscriber.subscribe("settle", () => done());
    await this.command("PUBLISH", "settle", "");
    await heard;
    await this.#subscriber.unsubscribe("settle");
  }

  async run(script: keyof typeof scripts, keys: readonly string[], args: readonly string[]): Promise<Reply> {
    const { sha1, text } = scripts[script];
    const call = ["EVALSHA", sha1, String(keys.length), ...keys, ...args];
    try {
      return await this.#app.sendCommand(call);
    } catch (error) {
      if (!String(error).includes("NOSCRIPT")) throw error;
      await this.#app.sendCommand(["SCRIPT", "LOAD", text]);
      return await this.#app.sendCommand(call);
    }
  }

  /** Of a script that serves many: the reply to its one operation, which may be an error. */
  async one(script: keyof typeof scripts, call: Single): Promise<Reply> {
    const { keys = names(clientOf(call.ticket)).common, id = "x", stamps = 0 } = call;
    const operations = new OperationEncoder();
    operations.add({ ...call, id });
    const payload = call.payload === undefined ? [] : [call.payload];
    const args = operations.argumentsWith([prefix, ...call.common, ...payload]).map(String);
    const [reply] = repliesOf(await this.run(script, keys, args), [stamps]) as Reply[];
    if ((reply as unknown) instanceof Error) throw reply as unknown as Error;
    return reply ?? null;
  }

  acquire(ticket: string, asked: Asked = {}): Promise<Reply> {
    const { leaseMs = 30_000, fences = 1, wish = "-", seen = 0, slot = slotOf(ticket), n = 1 } = asked;
    const own = [String(slot), n];
    const terms = [String(leaseMs), fences, wish];
    return this.one("acquire", { id: asked.id, ticket, common: [String(seen)], own, terms, stamps: fences });
  }

  release(ticket: string, told: Told = {}): Promise<Reply> {
    return this.one("release", {
      id: told.id,
      ticket,
      common: common(told),
      own: own(ticket, told),
      terms: [],
    });
  }

  cancel(ticket: string, told: Told = {}): Promise<Reply> {
    return this.run("cancel", keysOf(ticket, told.id), [ticket, ...receipt(ticket, told)]);
  }

  force(ticket: string, told: Told & { readonly by: string; readonly ifFence?: number }): Promise<Reply> {
    const args = [ticket, ...receipt(told.by, told), String(told.ifFence ?? "")];
    return this.run("force", keysOf(told.by, told.id), args);
  }

  renew(ticket: string, leaseMs = 30_000): Promise<Reply> {
    return this.one("renew", {
      id: undefined,
      ticket,
      keys: [],
      common: [],
      own: [],
      terms: [String(leaseMs)],
    });
  }

  async commit(ticket: string, change: Change = {}): Promise<Reply> {
    const [leaseMs = "", fences = 0] = change.keepFor ?? [];
    const [kind = "", serializer = "", ttl = "", ifRevision = "", bytes = ""] = changeOf(change);
    const payload = kind === "save" ? bytes : "";
    const size = Buffer.byteLength(payload);
    const reply = await this.one("commit", {
      id: change.id,
      ticket,
      common: common(change),
      own: [...own(ticket, change), ifRevision, size, change.staged ?? ""],
      terms: [kind, serializer, ttl, String(leaseMs), fences],
      payload,
    });
    return typeof reply === "number" ? `released ${String(reply)}` : reply;
  }

  /** Under the ticket, or under none but with its client's receipts. */
  write(ticket: string, change: Change & { readonly free?: boolean } = {}): Promise<Reply> {
    const args = [
      change.free === true ? "" : ticket,
      ...receipt(ticket, change),
      ...changeOf(change),
      change.staged ?? "",
    ];
    return this.run("write", [...keysOf(ticket, change.id), names(A).watch(change.id ?? "x")], args);
  }

  touch(ttl: number | string, told: Told & { readonly ifRevision?: string } = {}): Promise<Reply> {
    const { all, stamp, watch } = names(A);
    const id = told.id ?? "x";
    const [, , , , done, state] = all(id);
    return this.run(
      "touch",
      [String(state), String(done), stamp, watch(id)],
      [
        String(ttl),
        told.ifRevision ?? "",
        ...receipt(`host:1:${A}:${String(told.slot ?? 1)}`, told).slice(0, 5),
      ],
    );
  }

  /** The server's own clock, in µs. */
  async now(): Promise<number> {
    const [seconds, micros] = (await this.command("TIME")) as string[];
    return Number(seconds) * 1_000_000 + Number(micros);
  }

  /** Makes the ticket one that asked so long ago. */
  async age(ticket: string, seconds: number, id = "x"): Promise<void> {
    const ask = String(await this.command("HGET", `${prefix}asks:{${id}}`, ticket));
    const [, ...rest] = ask.split(" ");
    const then = (await this.now()) - seconds * 1_000_000;
    await this.command("HSET", `${prefix}asks:{${id}}`, ticket, [then, ...rest].join(" "));
  }

  /** The holder dies: its lease ends. */
  expire(id = "x"): Promise<Reply> {
    return this.command("DEL", `${prefix}lock:{${id}}`);
  }

  /** Tickets that wait and may be handed the lock, in order. */
  async waiting(id = "x"): Promise<Reply> {
    return await this.command("ZRANGEBYSCORE", `${prefix}queue:{${id}}`, "-inf", `(${String(2 ** 52)}`);
  }

  /** Everything that is stored, byte by byte. */
  async everything(): Promise<Record<string, Reply>> {
    const keys = ((await this.command("KEYS", "*")) as string[]).sort();
    const dumps = keys.map(async (key) => [key, await this.command("DUMP", key)] as const);
    return Object.fromEntries(await Promise.all(dumps));
  }

  /** A stamp that was taken in vain is of no account: what counts is that they rise. */
  async everythingButStamp(): Promise<Record<string, Reply>> {
    const { [stampKey]: _, ...rest } = await this.everything();
    return rest;
  }

  get server(): RedisServer {
    return this.#server;
  }
}

/** A server for the file, empty before each test: `told` gets who runs scripts on it. */
export function withScripts(told: (run: ScriptRunner) => void): void {
  let run: ScriptRunner;
  beforeAll(async () => {
    run = await ScriptRunner.connect(await startRedis({ prefixes: ["t:"] }));
    told(run);
  });
  afterAll(async () => {
    run.close();
    await run.server.stop();
  });
  beforeEach(() => run.reset());
}
