/** A Redis of the bench's own, and what it knows about itself: CPU, commands, keys, memory. */
import { once } from "node:events";
import { connect } from "node:net";
import { createClient } from "@redis/client";
import { startRedis, type RedisServer } from "../test/support/redis-server.ts";

export interface Command {
  readonly calls: number;
  readonly us: number;
}

/** The server's counters at one moment. */
export interface Sample {
  readonly cpuUs: number;
  readonly memoryBytes: number;
  readonly commands: ReadonlyMap<string, Command>;
}

/** How often each command came, from clients and from inside scripts. */
export interface Census {
  readonly fromClients: ReadonlyMap<string, number>;
  readonly fromScripts: ReadonlyMap<string, number>;
}

export class Server {
  readonly #redis: RedisServer;
  readonly #client;

  private constructor(redis: RedisServer) {
    this.#redis = redis;
    this.#client = createClient({ url: redis.adminUrl, disableClientInfo: true });
  }

  static async start(): Promise<Server> {
    const server = new Server(await startRedis());
    server.#client.on("error", () => undefined);
    await server.#client.connect();
    return server;
  }

  get url(): string {
    return this.#redis.adminUrl; // peers have keys of their own
  }

  async sample(): Promise<Sample> {
    const text = await this.#client.sendCommand<string>(["INFO", "all"]);
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? NaN);
    const commands = new Map<string, Command>();
    for (const [, name = "", calls, us] of text.matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm)) {
      // Its own question is nobody's work.
      if (name !== "info") commands.set(name, { calls: Number(calls), us: Number(us) });
    }
    const cpuUs = (field("used_cpu_sys") + field("used_cpu_user")) * 1e6;
    return { cpuUs, memoryBytes: field("used_memory"), commands };
  }

  /** Has the server tell each command while `during` runs. That slows it down: nothing is timed meanwhile. */
  async census(during: () => Promise<void>): Promise<Census> {
    const counts = { fromClients: new Map<string, number>(), fromScripts: new Map<string, number>() };
    const socket = connect(this.#redis.port, "127.0.0.1");
    await once(socket, "connect");
    const end = `census-${Math.random()}`;
    const ended = new Promise<void>((resolve) => {
      let rest = "";
      socket.on("data", (data) => {
        const lines = (rest + data.toString("latin1")).split("\r\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (!line.endsWith(`"${end}"`)) count(line, counts);
        if (lines.some((line) => line.endsWith(`"${end}"`))) resolve();
      });
    });
    socket.write("MONITOR\r\n");
    await once(socket, "data");
    await during();
    await this.#client.sendCommand(["ECHO", end]);
    await ended;
    socket.destroy();
    return counts;
  }

  async version(): Promise<string> {
    const text = await this.#client.sendCommand<string>(["INFO", "server"]);
    return /^redis_version:(\S+)/m.exec(text)?.[1] ?? "unknown";
  }

  async keys(): Promise<number> {
    return Number(await this.#client.sendCommand(["DBSIZE"]));
  }

  /** Without the numbers in them, and how many there are of each. */
  async kindsOfKeys(): Promise<string[]> {
    const names = await this.#client.sendCommand<string[]>(["KEYS", "*"]);
    const kinds = new Map<string, number>();
    for (const name of names) {
      const kind = name.replaceAll(/[0-9a-f]{24}/g, "<client>").replaceAll(/\d+/g, "<n>");
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    return [...kinds].map(([kind, n]) => (n === 1 ? kind : `${kind} (${n} of them)`));
  }

  async command(...args: string[]): Promise<unknown> {
    return await this.#client.sendCommand(args);
  }

  async stop(): Promise<void> {
    this.#client.destroy();
    await this.#redis.stop();
  }
}

/** `+1700000000.123456 [0 127.0.0.1:1234] "SET" "key" …`, or `[0 lua]`. */
function count(
  line: string,
  counts: { fromClients: Map<string, number>; fromScripts: Map<string, number> },
): void {
  const found = /^\+[\d.]+ \[\d+ ([^\]]+)\] "([^"]+)"/.exec(line.slice(0, 200));
  if (found === null) return;
  const [, from, name = ""] = found;
  const map = from === "lua" ? counts.fromScripts : counts.fromClients;
  const key = name.toLowerCase();
  map.set(key, (map.get(key) ?? 0) + 1);
}

/**
 * What clients sent between two samples: how many commands, and the time inside them. What scripts call is in the scripts'
 * own time already; how often they call what the census says.
 */
export function fromClients(before: Sample, after: Sample, census: Census): Command {
  let calls = 0;
  let us = 0;
  for (const [name, command] of after.commands) {
    const plain = name.replace(/\|.*/, "");
    const clients = census.fromClients.get(plain) ?? 0;
    const scripts = census.fromScripts.get(plain) ?? 0;
    const share = clients + scripts === 0 ? 0 : clients / (clients + scripts);
    const old = before.commands.get(name);
    calls += (command.calls - (old?.calls ?? 0)) * share;
    us += (command.us - (old?.us ?? 0)) * share;
  }
  return { calls, us };
}

/** All commands between two samples, those inside scripts, too. */
export function callsBetween(before: Sample, after: Sample): number {
  let calls = 0;
  for (const [name, command] of after.commands)
    calls += command.calls - (before.commands.get(name)?.calls ?? 0);
  return calls;
}
