// What a caller does with locks that guard no state: stays for a moment, or for much longer than its lease is.

import { setTimeout as sleep } from "node:timers/promises";

import type { Store } from "../../../src/index.ts";
import type { Setting } from "../caller.ts";
import { Holding } from "../holding.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";

/** How often each is done. */
const deeds = { gate: 10, reader: 12, several: 4, permits: 10, linger: 3 };

export class LockCalls {
  readonly #store: Store;
  readonly #recorder: Recorder;
  readonly #caller: number;
  readonly #random: Random;

  constructor({ store, recorder, number, random }: Setting) {
    this.#store = store;
    this.#recorder = recorder;
    this.#caller = number;
    this.#random = random;
  }

  any(): Promise<void> {
    return this[this.#random.weighted(deeds)]();
  }

  /** Locks alone, held for a while, some with leases that are hardly longer. */
  async gate(): Promise<void> {
    const leaseMs = this.#leaseMs();
    const holding = this.#holding(leaseMs);
    const heldMs = this.#heldMs();
    await holding.settle(() =>
      this.#store.lock(`gate:${this.#random.whole(0, 1)}`).run(
        async (grant) => {
          holding.got(grant);
          await sleep(heldMs);
          holding.leave();
        },
        { leaseMs },
      ),
    );
  }

  /** The same locks, shared with others that read. */
  async reader(): Promise<void> {
    const leaseMs = this.#leaseMs();
    const holding = this.#holding(leaseMs);
    const heldMs = this.#heldMs();
    await holding.settle(() =>
      this.#store.lock(`gate:${this.#random.whole(0, 1)}`).run(
        async (grant) => {
          holding.got(grant, { shared: true });
          await sleep(heldMs);
          holding.leave();
        },
        { leaseMs, shared: true },
      ),
    );
  }

  /** Both at once: each is held as by anybody else. */
  async several(): Promise<void> {
    const leaseMs = this.#leaseMs();
    const ids = this.#random.chance(0.5) ? (["gate:0", "gate:1"] as const) : (["gate:1", "gate:0"] as const);
    const holdings = new Map(ids.map((id) => [id, this.#holding(leaseMs)]));
    const heldMs = this.#heldMs();
    const set = this.#store.lockAll(ids).run(
      async ({ fences, signal }) => {
        for (const [id, holding] of holdings) holding.got({ id, fence: fences[id], signal });
        await sleep(heldMs);
        for (const holding of holdings.values()) holding.leave();
      },
      { leaseMs },
    );
    await Promise.all([...holdings.values()].map((holding) => holding.settle(() => set)));
  }

  /** Some of the permits of a semaphore. */
  async permits(): Promise<void> {
    const leaseMs = this.#leaseMs();
    const holding = this.#holding(leaseMs);
    const [limit, weight, heldMs] = [3, this.#random.pick([1, 1, 2, 3]), this.#heldMs()];
    await holding.settle(() =>
      this.#store.semaphore(`pool:${this.#random.whole(0, 1)}`, { permits: limit }).run(
        async (grant) => {
          const { id, fence, signal } = grant;
          holding.got({ id: `semaphore ${id}`, fence, signal }, { weight, limit });
          await sleep(heldMs);
          holding.leave();
        },
        { leaseMs, weight },
      ),
    );
  }

  #holding(leaseMs: number): Holding {
    return new Holding(this.#recorder, { caller: this.#caller, leaseMs });
  }

  #leaseMs(): number {
    return this.#random.pick([120, 300, 1_000]);
  }

  #heldMs(): number {
    return this.#random.chance(0.05) ? this.#random.whole(0, 400) : this.#random.whole(0, 8);
  }

  /** Holds much longer than its lease is, as whoever computes or waits for others: it must learn of a loss by its signal [L5]. */
  async linger(): Promise<void> {
    const how = { leaseMs: this.#random.pick([150, 400]), waitMs: 300 };
    const holding = this.#holding(how.leaseMs);
    const [id, heldMs] = [`linger:${this.#random.whole(0, 1)}`, this.#random.whole(100, 2_000)];
    await holding.settle(() =>
      this.#store.lock(id).run(async (grant) => {
        holding.got(grant);
        await sleep(heldMs, undefined, { signal: grant.signal }).catch(() => undefined);
        holding.leave();
      }, how),
    );
  }
}
