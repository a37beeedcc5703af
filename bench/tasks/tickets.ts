/**
 * A queue of very many tickets on the server, as very many processes would form it. One process has one ticket per lock, so
 * the backend is spoken to directly: each ticket asks, waits, gets the lock, releases it, and the next one joins at the end.
 */
import { setTimeout as sleep } from "node:timers/promises";

import type { Backend, Granted, Receipt, Wake } from "holdfast/backend";
import { load, leaseMs, type Peer } from "../peers/peer.ts";

interface RedisModule {
  readonly createRedisBackend: (options: { target: string; prefix: string; operationMs: number }) => Backend;
}

interface TicketArgs {
  readonly url: string;
  readonly id: string;
  readonly waiting: number;
  readonly turns: number;
}

interface Mine {
  readonly ticket: string;
  readonly receipt: Receipt;
}

export interface Turned {
  readonly turns: number;
  /** Grants that came to another ticket than the one whose turn it was, or with a fence that did not rise. */
  readonly wrong: number;
  readonly cpuUs: number;
}

let queue: Queue | undefined;

/** First called with no turns, to form the queue; then the counters of the server are read around the turns. */
export async function queueOfTickets(_: Peer, args: TicketArgs): Promise<Turned> {
  if (args.turns > 0 && queue !== undefined) return queue.turn(args.turns);
  await queue?.close();
  queue = await Queue.form(args);
  return { turns: 0, wrong: 0, cpuUs: 0 };
}

class Queue {
  readonly #backend: Backend;
  readonly #id: string;
  readonly #line: Mine[] = [];
  readonly #woken = new Map<string, (grant: Granted) => void>();
  #made = 0;
  #fence = 0;

  private constructor(backend: Backend, id: string) {
    this.#backend = backend;
    this.#id = id;
    backend.onWake((wake: Wake) => {
      if (wake.kind === "granted") this.#woken.get(wake.ticket)?.({ ...wake, status: "granted" });
    });
  }

  static async form({ url, id, waiting }: TicketArgs): Promise<Queue> {
    const { createRedisBackend } = await load<RedisModule>(
      new URL("../../dist/backends/redis/backend.js", import.meta.url).href,
    );
    const backend = createRedisBackend({ target: url, prefix: "holdfast:", operationMs: 5_000 });
    await backend.ready();
    while (backend.askAgainMs < 5_000) await sleep(1); // until wakes reach it
    const formed = new Queue(backend, id);
    for (let i = 0; i <= waiting; i += 100) {
      const length = Math.min(100, waiting + 1 - i);
      await Promise.all(Array.from({ length }, () => formed.#join()));
    }
    return formed;
  }

  async turn(turns: number): Promise<Turned> {
    const cpu = process.cpuUsage();
    let wrong = 0;
    for (let i = 0; i < turns; i++) if (!(await this.#pass())) wrong += 1;
    const { user, system } = process.cpuUsage(cpu);
    return { turns, wrong, cpuUs: user + system };
  }

  close(): Promise<void> {
    return this.#backend.close();
  }

  /** A sequence is used again when the ticket that had it is settled. */
  async #join(left?: Receipt): Promise<void> {
    const made = this.#made++;
    const ticket = `bench:${process.pid}:${this.#backend.clientId}:${made}`;
    const receipt = { sequence: left?.sequence ?? made, n: (left?.n ?? 0) + 1, keepMs: 60_000 };
    this.#line.push({ ticket, receipt });
    await this.#backend.acquireLock(
      this.#id,
      ticket,
      { leaseMs, queue: true, load: false, fences: 1 },
      receipt,
    );
  }

  /** The first one releases; the second must be woken; a new one joins at the end. */
  async #pass(): Promise<boolean> {
    const holder = this.#line.shift();
    const next = this.#line[0];
    if (holder === undefined || next === undefined) throw new Error("the queue has run dry");
    const woken = new Promise<Granted>((resolve) => this.#woken.set(next.ticket, resolve));
    const reply = await this.#backend.releaseLock(this.#id, holder.ticket, {}, holder.receipt);
    const { fence } = await woken;
    this.#woken.delete(next.ticket);
    await this.#join(holder.receipt);
    const right = reply.status === "released" && fence > this.#fence;
    this.#fence = fence;
    return right;
  }
}
