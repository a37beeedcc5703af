// A primary with replicas, each behind a line of its own that can be slow or silent, and an address that follows a
// promotion, as a name or a virtual IP would.

import { HoldfastError, open, type OpenOptions, type State, type Store } from "../../../src/index.ts";
import { startLink, type Link } from "../../support/faults/index.ts";
import { poll } from "../../support/poll.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

/** Replicas are there at once, without a file and without waiting for more of them. */
const more = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];

export const one = { replicas: 1, timeoutMs: 150 };
export const patient = { replicas: 1, timeoutMs: 4_000 };
export const none = { replicas: 0 };
/** What a call fails with where too few replicas have it. */
export const unknown = { name: "UnavailableError", code: "UNREACHABLE", outcome: "unknown" };

export class Replicated {
  readonly primary: RedisServer;
  /** Where the stores of the tests connect to. */
  readonly address: Link;
  readonly replicas: RedisServer[] = [];
  readonly lines: Link[] = [];
  readonly #stores: Store[] = [];

  private constructor(primary: RedisServer, address: Link) {
    this.primary = primary;
    this.address = address;
  }

  static async start(replicas: number, options: { appendonly?: boolean } = {}): Promise<Replicated> {
    const primary = await startRedis({ more, ...options });
    const all = new Replicated(primary, await startLink(primary));
    for (let n = 0; n < replicas; n += 1) await all.addReplica(primary);
    return all;
  }

  /** One more, of the primary or of a replica. */
  async addReplica(of: RedisServer): Promise<RedisServer> {
    const line = await startLink(of);
    this.lines.push(line);
    const replica = await startRedis({ more, replicaOf: line });
    this.replicas.push(replica);
    await poll(async () => String(await replica.command("INFO", "replication"))).toContain("link_status:up");
    const port = `port=${String(replica.port)},state=online`;
    await poll(async () => String(await of.command("INFO", "replication"))).toContain(port);
    return replica;
  }

  get replica(): RedisServer {
    const [first] = this.replicas;
    if (first === undefined) throw new Error("started without replicas");
    return first;
  }

  /** The line of the first replica. */
  get line(): Link {
    const [first] = this.lines;
    if (first === undefined) throw new Error("started without replicas");
    return first;
  }

  /** Resolves while somebody waits for replicas of the primary. */
  async waiting(): Promise<void> {
    await poll(async () => String(await this.primary.command("CLIENT", "LIST"))).toContain("cmd=wait");
  }

  /** From now on no replica hears of anything, though no connection says so. */
  silence(): void {
    for (const line of this.lines) line.silent = true;
  }

  open(options?: OpenOptions): Store {
    return this.openAt(this.address.url, options);
  }

  openAt(target: Parameters<typeof open>[0], options?: OpenOptions): Store {
    const store = open(target, options);
    this.#stores.push(store);
    return store;
  }

  /** The replica takes over, and the address leads to it. */
  async promote(replica = this.replica): Promise<void> {
    await replica.command("REPLICAOF", "NO", "ONE");
    this.address.repoint(replica);
  }

  /** The primary dies as if its power failed, and the replica takes over. */
  async failOver(): Promise<void> {
    await this.primary.kill();
    await this.promote();
  }

  async stop(): Promise<void> {
    for (const server of this.replicas) server.resume();
    await Promise.all(this.#stores.map((store) => store.close({ drainMs: 0 })));
    await Promise.all([...this.lines, this.address].map((link) => link.close()));
    for (const server of [...this.replicas, this.primary]) await server.stop();
  }
}

/** The error of a call that must not be acknowledged. */
export async function failureOf(call: Promise<unknown>): Promise<HoldfastError> {
  const error = await call.then(
    (value) => new Error(`it was acknowledged: ${String(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof HoldfastError) return error;
  throw error;
}

export function counter(store: Store, id = "n"): State<number, number> {
  return store.state<number>(id, { initial: () => 0 });
}

export function listOf(store: Store): State<{ ids: string[] }, { ids: string[] }> {
  return store.state<{ ids: string[] }>("list", { initial: () => ({ ids: [] }) });
}
