// One address whose server can be changed, as a virtual IP or a DNS name in a failover. Passes bytes and nothing else:
// for faults at single commands there is the proxy.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export async function startAddress(server: { readonly port: number }): Promise<Address> {
  const address = new Address(server.port);
  await address.listen();
  return address;
}

export class Address {
  #target: number;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client, connect(this.#target, "127.0.0.1")));
  }

  get url(): string {
    return `redis://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** New connections lead there from now on; those that exist are cut. */
  moveTo(server: { readonly port: number }): void {
    this.#target = server.port;
    this.#cut();
  }

  async close(): Promise<void> {
    this.#cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.once("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
