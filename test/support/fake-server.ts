// A server that is written by hand, for kinds of servers that cannot be started here: each command is answered by a function.
// It knows no state and no pipelines of its own; what it says comes from what is known of such servers' texts.

import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

/** The reply as RESP 3, such as `+OK\r\n`; `undefined`: as a Redis without data would. */
export type Answer = (name: string, args: readonly string[]) => string | undefined;

export interface FakeServer {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startFakeServer(answer: Answer): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    serve(socket, answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export const failure = (text: string): string => `-${text}\r\n`;
export const bulk = (text: string): string => `$${String(Buffer.byteLength(text, "latin1"))}\r\n${text}\r\n`;
export const unknownCommand = (name: string): string =>
  failure(`ERR unknown command '${name.toLowerCase()}', with args beginning with: `);

function serve(socket: Socket, answer: Answer): void {
  const stored = new Map<string, string>();
  let rest = "";
  socket.on("data", (chunk) => {
    rest += chunk.toString("latin1");
    for (let next = takeCommand(rest); next !== undefined; next = takeCommand(rest)) {
      rest = next.rest;
      const [name = "", ...args] = next.command;
      const upper = name.toUpperCase();
      socket.write(answer(upper, args) ?? usual(upper, args, stored), "latin1");
    }
  });
}

function usual(name: string, args: readonly string[], stored: Map<string, string>): string {
  const [first = "", second = ""] = args;
  switch (name) {
    case "HELLO":
      return "*2\r\n$5\r\nproto\r\n:2\r\n";
    case "SET":
      stored.set(first, second);
      return "+OK\r\n";
    case "GET":
      return bulk(stored.get(first) ?? "");
    case "MGET":
      return `*${args.length}\r\n${"$-1\r\n".repeat(args.length)}`;
    case "DEL":
      return ":1\r\n";
    case "SUBSCRIBE":
      return `*3\r\n$9\r\nsubscribe\r\n${bulk(first)}:1\r\n`;
    case "EVALSHA":
      return bulk("ready");
    case "PUBSUB":
      return `*2\r\n${bulk(second)}:1\r\n`;
    case "PUBLISH":
      return ":0\r\n";
    default:
      return "+OK\r\n";
  }
}

/** One command, an array of strings; `undefined` if it is not all there yet. */
function takeCommand(text: string): { command: string[]; rest: string } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  let at = head[0].length;
  const command: string[] = [];
  for (let left = Number(head[1]); left > 0; left -= 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    const from = at + (size?.[0].length ?? 0);
    const to = from + Number(size?.[1]);
    if (size === null || text.length < to + 2) return undefined;
    command.push(text.slice(from, to));
    at = to + 2;
  }
  return { command, rest: text.slice(at) };
}
