// A TCP proxy in front of a Redis that understands just enough of its protocol to do harm at a chosen command.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { clusterEdition } from "../../src/backends/redis/protocol/script-settings.ts";
import { scripts } from "../../src/backends/redis/scripts/generated.ts";
import { Frames, withOtherPorts } from "./resp-frames.ts";

/** What happens to one command. */
export type Fault =
  /** The server runs it; its reply is lost and the connection cut. */
  | "lose-reply"
  /** It is cut off before the server sees it. */
  | "lose-request"
  /** As "lose-request"; but it is kept, and reaches the server when `deliver()` is called. */
  | "hold-back"
  /** Its reply and all later ones of the connection come so much later. */
  | { readonly delayMs: number };

export interface SeenCommand {
  /** The name of the script, or the command in capitals: `acquire`, `SUBSCRIBE`. */
  readonly name: string;
  /** Bytes as latin1. */
  readonly args: readonly string[];
}

const editions = Object.values(scripts).flatMap((script) => [script, clusterEdition(script)]);
const scriptNames = new Map<string, string>(editions.map(({ sha1, name }) => [sha1, name]));

/** What it stands before; its URL has these credentials. */
interface Target {
  readonly port: number;
  readonly credentials?: string;
}

export async function startProxy(target: Target): Promise<Proxy> {
  const proxy = new Proxy(target);
  await proxy.listen();
  return proxy;
}

export class Proxy {
  /** Every command that came by, in order. */
  readonly seen: SeenCommand[] = [];
  /** Decides for each command; by default all pass. */
  fault: (command: SeenCommand) => Fault | undefined = () => undefined;
  /** Connections that subscribe lead there from then on, as behind a balancer; others to the target. */
  subscribersTo: { readonly port: number } | undefined;
  /** On a cluster: what stands before the node at that port. Replies that name a node name it. */
  before: ((port: number) => number) | undefined;
  readonly #target: Target;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held: Buffer[] = [];
  /** How many pieces arrived from clients. */
  chunks = 0;
  #frozen = false;

  constructor(target: Target) {
    this.#target = target;
    this.#server = createServer((client) => {
      const pair = new Pair(client, connect(this.#target.port, "127.0.0.1"), {
        judge: (command) => this.#judge(command),
        hold: (bytes) => this.#held.push(bytes),
        count: () => (this.chunks += 1),
        frozen: () => this.#frozen,
        before: () => this.before,
        elsewhere: (command) => (command.name === "SUBSCRIBE" ? this.subscribersTo?.port : undefined),
      });
      this.#pairs.add(pair);
      client.once("close", () => this.#pairs.delete(pair));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    const { credentials } = this.#target;
    return `redis://${credentials === undefined ? "" : `${credentials}@`}127.0.0.1:${String(this.port)}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Does this once, to the nth command of that name from now on. */
  strike(name: string, fault: Fault, nth = 1): void {
    let left = nth;
    this.fault = (command) => (command.name === name && --left === 0 ? fault : undefined);
  }

  /** Cuts every connection that passes. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut();
  }

  /** From now on nothing passes on the connections that exist, and nothing is refused; new ones work. */
  blackHole(): void {
    for (const pair of this.#pairs) pair.frozen = true;
  }

  /** Connections that subscribe end at the server, and their clients do not hear of it. */
  orphanSubscribers(): void {
    for (const pair of this.#pairs) if (pair.subscribes) pair.orphan();
  }

  /** The black hole for new connections, too, until it is switched off. */
  set frozen(frozen: boolean) {
    this.#frozen = frozen;
    if (frozen) this.blackHole();
  }

  /** What was held back reaches the server now, over a connection of its own. Answers the replies as they came. */
  async deliver(): Promise<string[]> {
    const replies: string[] = [];
    for (const bytes of this.#held.splice(0)) {
      const socket = connect(this.#target.port, "127.0.0.1");
      const frames = new Frames();
      await once(socket, "connect");
      socket.write(bytes);
      for await (const chunk of socket) {
        const frame = frames.add(chunk as Buffer)[0];
        if (frame === undefined) continue;
        replies.push(frame.toString("latin1"));
        break;
      }
      socket.destroy();
    }
    return replies;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #judge(command: SeenCommand): Fault | undefined {
    this.seen.push(command);
    return this.fault(command);
  }
}

interface Rules {
  judge(command: SeenCommand): Fault | undefined;
  hold(bytes: Buffer): void;
  frozen(): boolean;
  before(): ((port: number) => number) | undefined;
  count(): void;
  /** The port of another server that the connection is to go on with. */
  elsewhere(command: SeenCommand): number | undefined;
}

/** More commands than this no handshake has. */
const handshake = 10;

/** One connection of a client and ours to the server for it. */
class Pair {
  frozen = false;
  subscribes = false;
  readonly #client: Socket;
  #server: Socket;
  readonly #rules: Rules;
  readonly #requests = new Frames();
  readonly #replies = new Frames();
  /** What is to be done with the replies that are under way, in order. */
  readonly #expected: (Fault | "swallow" | undefined)[] = [];
  /** The first of what was sent, for another server that the connection is led to. */
  readonly #begun: Buffer[] = [];
  #delayMs = 0;

  constructor(client: Socket, server: Socket, rules: Rules) {
    this.#client = client;
    this.#server = server;
    this.#rules = rules;
    this.frozen = rules.frozen();
    client.on("data", (chunk) => this.#onRequests(chunk));
    this.#watch(client);
    this.#follow(server);
  }

  orphan(): void {
    this.frozen = true;
    this.#leaveServer();
  }

  #follow(server: Socket): void {
    server.on("data", (chunk) => this.#onReplies(chunk));
    this.#watch(server);
  }

  #watch(socket: Socket): void {
    socket.on("error", () => this.cut());
    socket.on("close", () => this.cut());
  }

  /** Goes on with that server, which is greeted as the first one was. */
  #moveTo(port: number): void {
    this.#leaveServer();
    this.#server = connect(port, "127.0.0.1");
    this.#follow(this.#server);
    for (const frame of this.#begun) {
      this.#expected.push("swallow");
      this.#server.write(frame);
    }
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #leaveServer(): void {
    this.#server
      .removeAllListeners()
      .on("error", () => {})
      .destroy();
  }

  #onRequests(chunk: Buffer): void {
    if (this.frozen) return;
    this.#rules.count();
    for (const frame of this.#requests.add(chunk)) {
      const command = parseCommand(frame);
      const fault = this.#rules.judge(command);
      if (fault === "hold-back") this.#rules.hold(frame);
      if (fault === "hold-back" || fault === "lose-request") return this.cut();
      if (/^S?SUBSCRIBE$/.test(command.name)) this.subscribes = true;
      const elsewhere = this.#rules.elsewhere(command);
      if (elsewhere !== undefined) this.#moveTo(elsewhere);
      if (this.#begun.length < handshake) this.#begun.push(frame);
      this.#expected.push(fault);
      this.#server.write(frame);
    }
  }

  #onReplies(chunk: Buffer): void {
    if (this.frozen) return;
    for (const frame of this.#replies.add(chunk)) {
      const isPush = frame[0] === 0x3e; // ">": answers nothing, except that a SUBSCRIBE is answered by one
      const fault = isPush && !frame.includes("subscribe") ? undefined : this.#expected.shift();
      if (fault === "swallow") continue;
      if (fault === "lose-reply") return this.cut();
      if (typeof fault === "object") this.#delayMs = fault.delayMs;
      const before = this.#rules.before();
      const reply = before === undefined ? frame : withOtherPorts(frame, before);
      if (this.#delayMs === 0) this.#client.write(reply);
      else setTimeout(() => this.#client.write(reply), this.#delayMs);
    }
  }
}

function parseCommand(frame: Buffer): SeenCommand {
  const text = frame.toString("latin1");
  const args: string[] = [];
  for (let at = text.indexOf("\r\n") + 2; at < text.length;) {
    const end = text.indexOf("\r\n", at);
    const length = Number(text.slice(at + 1, end));
    args.push(text.slice(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  const [command = "", sha1 = ""] = args;
  const name =
    command.toUpperCase() === "EVALSHA" ? (scriptNames.get(sha1) ?? "EVALSHA") : command.toUpperCase();
  return { name, args };
}
