// What a caller does with locks that guard no state: stays for a moment, or for much longer than its lease is.

import { setTimeout as sleep } from "node:timers/promises";

import type { Store } from "../../src/index.ts";
import type { Setting } from "./caller.ts";
import { Holding } from "./holding.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";

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

  /** Locks alone, held for a while, some with leases that are hardly longer. */
  async gate(): Promise<void> {
    const leaseMs = this.#random.pick([120, 300, 1_000]);
    const holding = new Holding(this.#recorder, { caller: this.#caller, leaseMs });
    const heldMs = this.#random.chance(0.05) ? this.#random.whole(0, 400) : this.#random.whole(0, 8);
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

  /** Holds much longer than its lease is, as whoever computes or waits for others: it must learn of a loss by its signal [L5]. */
  async linger(): Promise<void> {
    const how = { leaseMs: this.#random.pick([150, 400]), waitMs: 300 };
    const holding = new Holding(this.#recorder, { caller: this.#caller, leaseMs: how.leaseMs });
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
