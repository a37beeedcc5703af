// A TCP relay that knows nothing of what passes: as the address of a server that can move to another one, or as the line
// between a primary and its replica, which can be slow or fall silent without being cut.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export async function startRelay(target: { readonly port: number }): Promise<Relay> {
  const relay = new Relay(target.port);
  await relay.listen();
  return relay;
}

export class Relay {
  /** Whatever passes comes so much later; in order. */
  delayMs = 0;
  /** What is sent from now on disappears. */
  silent = false;
  #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client, connect(this.#target, "127.0.0.1")));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** The address is that of another server from now on; connections to the old one are cut, or stay. */
  moveTo(target: { readonly port: number }, connections: "cut" | "stay" = "cut"): void {
    this.#target = target.port;
    if (connections === "cut") this.cut();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(one: Socket, other: Socket): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk) => this.#pass(chunk, to));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#sockets.delete(from);
      });
    }
  }

  #pass(chunk: Buffer, to: Socket): void {
    if (this.silent) return;
    if (this.delayMs === 0) to.write(chunk);
    else setTimeout(() => to.write(chunk), this.delayMs);
  }
}
