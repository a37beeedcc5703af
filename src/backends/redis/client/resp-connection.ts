/**
 * A connection to a Redis server: a socket that has logged in, commands in order, and their replies.
 *
 * The commands of one tick are written together. It connects once and never resends: connection.ts makes another one.
 */
import { connect as connectPlain, isIP, type NetConnectOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { isError } from "../../../errors.ts";
import { nextTick } from "../../../timers.ts";
import type { RedisArgument, RedisReply } from "./client-port.ts";
import type { Endpoint } from "./target-url.ts";
import { wantsBytes } from "./node-redis-types.ts";
import { encodeCommand, ReplyReader } from "./resp.ts";

export interface Login {
  readonly server: Endpoint;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: number | undefined;
}

interface PendingCommand {
  readonly bytes: boolean;
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (error: Error) => void;
}

type Event = "error" | "end" | "ready" | "sharded-channel-moved";

/** A connection that dies silently while it waits for messages is noticed by the kernel. */
const keepAliveMs = 5_000;
/** Read into this again and again; large replies take several reads. */
const readBytes = 65_536;
/** So many places of settled commands are removed at once. */
const mostSettled = 1_024;

export class RespConnection {
  readonly #login: Login;
  readonly #listeners = new Map<Event, ((error?: unknown) => void)[]>();
  /** In the order of their replies; those that have had theirs are `undefined`, so that nothing of them is kept. */
  readonly #pending: (PendingCommand | undefined)[] = [];
  readonly #reader = new ReplyReader({
    wantsBytes: () => this.#onMessage !== undefined || this.#pending[this.#settled]?.bytes === true,
    reply: (reply) => this.#handleReply(reply),
  });
  /** How many of the pending commands have had their replies: shifting an array for each would cost more. */
  #settled = 0;
  #written: (string | Buffer)[] = [];
  #socket: Socket | undefined;
  #onMessage: ((message: Buffer) => void) | undefined;
  #isOver = false;

  constructor(login: Login) {
    this.#login = login;
  }

  /** Resolves once it has logged in. Rejects with the error of the socket, or with the error reply of the server. */
  async connect(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.on("error", reject);
      this.#open(resolve);
    });
    await this.#logIn();
    this.#emit("ready");
  }

  on(event: Event, listener: (error?: unknown) => void): this {
    const listeners = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...listeners, listener]);
    return this;
  }

  /** Rejects with the error reply of the server, or with the reason why the connection ended. */
  sendCommand(args: readonly RedisArgument[], options?: object): Promise<RedisReply> {
    return this.#send(args, wantsBytes(options));
  }

  /** From the reply on, it receives only messages, and replies to more of these. There is one listener for all channels. */
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    return this.#subscribe("SUBSCRIBE", channel, listener);
  }

  /** To a channel that a cluster keeps at the owner of its slot. When that changes, the server ends the subscription. */
  sSubscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    return this.#subscribe("SSUBSCRIBE", channel, listener);
  }

  /** Ends it at once; commands in flight are rejected. */
  destroy(why = new Error("the connection was closed")): void {
    this.#end(why);
  }

  #subscribe(command: string, channel: string, listener: (message: Buffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const subscribed = (): void => {
        this.#onMessage = listener; // at once, since a message may arrive together with the reply
        resolve();
      };
      this.#add([command, channel], { bytes: false, resolve: subscribed, reject });
    });
  }

  #open(onConnect: () => void): void {
    const { tls, ...server } = this.#login.server;
    const chunk = Buffer.allocUnsafeSlow(readBytes);
    const onread = {
      buffer: chunk,
      callback: (length: number) => this.#handleData(chunk, length),
    };
    const options = { ...server, onread } as NetConnectOpts;
    const socket = tls ? connectTls({ ...options, ...serverName(server) }) : connectPlain(options);
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.unref(); // [P1]
    socket.once(tls ? "secureConnect" : "connect", onConnect);
    socket.on("error", (error: Error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("Socket closed unexpectedly")));
  }

  /** HELLO needs no right in an access list. Servers before 6, and some proxies, do not know it. */
  async #logIn(): Promise<void> {
    const { username, password, database = 0 } = this.#login;
    const auth = password === undefined ? [] : ["AUTH", username ?? "default", password];
    try {
      await this.#send(["HELLO", "2", ...auth, "SETNAME", "holdfast"], false);
    } catch (error) {
      if (!(error instanceof Error) || !/unknown command|NOPROTO/i.test(error.message)) throw error;
      if (password !== undefined)
        await this.#send(["AUTH", ...(username ? [username] : []), password], false);
    }
    if (database !== 0) await this.#send(["SELECT", String(database)], false);
  }

  #send(args: readonly RedisArgument[], bytes: boolean): Promise<RedisReply> {
    return new Promise((resolve, reject) => this.#add(args, { bytes, resolve, reject }));
  }

  #add(args: readonly RedisArgument[], command: PendingCommand): void {
    if (this.#isOver || this.#socket === undefined) return command.reject(new Error("The client is closed"));
    this.#pending.push(command);
    if (this.#written.length === 0) nextTick(this.#write);
    for (const part of encodeCommand(args)) this.#written.push(part);
  }

  readonly #write = (): void => {
    const parts = this.#written;
    this.#written = [];
    const socket = this.#socket;
    if (socket === undefined || this.#isOver) return;
    if (parts.every((part) => typeof part === "string")) {
      socket.write(parts.join(""));
      return;
    }
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
  };

  #handleData(chunk: Buffer, length: number): boolean {
    try {
      if (!this.#isOver) this.#reader.read(chunk, length);
    } catch (error) {
      this.#end(isError(error) ? error : new Error(String(error)));
    }
    return true;
  }

  #handleReply(reply: RedisReply): void {
    if (this.#onMessage !== undefined && !this.#isAnswer(reply))
      return this.#handleMessage(reply, this.#onMessage);
    const command = this.#pending[this.#settled];
    if (command === undefined) throw new Error("the server sent a reply to no command");
    this.#pending[this.#settled] = undefined;
    this.#settled += 1;
    if (this.#settled === this.#pending.length || this.#settled === mostSettled) {
      this.#pending.splice(0, this.#settled);
      this.#settled = 0;
    }
    if (reply instanceof Error) command.reject(reply);
    else command.resolve(reply);
  }

  /** Whether it is the reply to a command, among messages. */
  #isAnswer(reply: RedisReply): boolean {
    if (this.#pending.length === 0) return false;
    const [kind] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
    return reply instanceof Error || ["subscribe", "ssubscribe"].includes(String(kind));
  }

  /** `[kind, channel, message]`, as bytes. */
  #handleMessage(reply: RedisReply, listener: (message: Buffer) => void): void {
    const [kind, , message] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
    if (String(kind) === "sunsubscribe") this.#emit("sharded-channel-moved");
    else if (Buffer.isBuffer(message)) listener(message);
  }

  #end(why: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    for (const command of this.#pending.splice(this.#settled)) command?.reject(why);
    this.#emit("error", why);
  }

  #emit(event: Event, error?: Error): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(error);
  }
}

/** An address is not allowed as a server name. */
function serverName(server: object): { servername?: string } {
  const { host } = server as { readonly host?: string };
  return host === undefined || isIP(host) !== 0 ? {} : { servername: host };
}
