// A TCP connection's way to a server, which can be slow, narrow, hang, break, refuse, or lead to another server. It moves
// bytes and understands none of them, so it serves for replication, too. For harm to one chosen command see ../support/proxy.ts.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export async function startLink(target: { readonly port: number }): Promise<Link> {
  const link = new Link(target.port);
  await link.listen();
  return link;
}

export class Link {
  /** Where new connections lead. */
  target: number;
  /** Each piece arrives so much later, in both directions. */
  delayMs = 0;
  /** How much passes per second, in each direction. */
  bytesPerSecond = Infinity;
  /** What is sent from now on disappears. */
  silent = false;
  /** Connections are accepted, and closed at once. */
  refusing = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #hanging = false;

  constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Nothing passes and nothing is refused; what was sent meanwhile arrives when it ends, as late copies do. */
  set hanging(hanging: boolean) {
    this.#hanging = hanging;
    for (const socket of this.#sockets)
      if (hanging) socket.pause();
      else socket.resume();
  }

  /** Breaks every connection there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** New connections lead there; those that exist are broken, or stay where they are. */
  repoint(target: { readonly port: number }, connections: "break" | "stay" = "break"): void {
    this.target = target.port;
    if (connections === "break") this.cut();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    if (this.refusing) return void client.destroy();
    const server = connect(this.target, "127.0.0.1");
    this.#pipe(client, server);
    this.#pipe(server, client);
  }

  /** One direction. Pieces keep their order, whatever happens to the delay meanwhile. */
  #pipe(from: Socket, to: Socket): void {
    const waiting: { piece: Buffer; dueAt: number }[] = [];
    let freeAt = 0;
    let over = false;
    const pump = (): void => {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const wait = next.dueAt - performance.now();
        // Timers count whole milliseconds: the rest is waited for turn by turn.
        if (wait > 0) {
          if (wait < 1) setImmediate(pump);
          else setTimeout(pump, Math.floor(wait));
          return;
        }
        waiting.shift();
        to.write(next.piece);
      }
      if (over) to.end();
    };
    this.#sockets.add(from);
    from.setNoDelay(true);
    if (this.#hanging) from.pause();
    from.on("data", (piece: Buffer) => {
      if (this.silent) return;
      const now = performance.now();
      freeAt = Math.max(freeAt, now + this.delayMs) + (piece.length / this.bytesPerSecond) * 1_000;
      waiting.push({ piece, dueAt: freeAt });
      if (waiting.length === 1) pump();
    });
    from.on("error", () => to.destroy());
    from.on("end", () => {
      over = true;
      if (waiting.length === 0) to.end();
    });
    from.on("close", () => {
      this.#sockets.delete(from);
      over = true;
      if (waiting.length === 0) to.destroy();
    });
  }
}
