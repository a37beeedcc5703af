// What a caller does with keys for which a function is run once: several run the same key at a time, some of their functions
// throw, and some take longer than their lease.

import { setTimeout as sleep } from "node:timers/promises";

import type { Once, Store } from "../../../src/index.ts";
import type { Setting } from "../caller.ts";
import { Holding } from "../holding.ts";
import type { Random } from "../random.ts";
import { Deliberate, type Recorder } from "../recorder.ts";

/** After so long, other keys are used. */
const generationNs = 3e9;

/** How often each is done. */
const deeds = { run: 10, tryRun: 3, peek: 3 };

export class OnceCalls {
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

  run(): Promise<void> {
    return this.#call("once", (once, fn) => once.run(fn));
  }

  /** Gives up at once if another call runs its function: then there is no value. */
  tryRun(): Promise<void> {
    return this.#call("once", async (once, fn) => (await once.tryRun(fn))?.value);
  }

  async peek(): Promise<void> {
    const once = this.#once(1_000);
    await this.#recorder.call({ caller: this.#caller, op: "peek", id: once.id }, async () => {
      const found = await once.peek();
      return { value: found !== null && "value" in found ? String(found.value) : null };
    });
  }

  async #call(
    op: string,
    run: (once: Once, fn: Parameters<Once["run"]>[0]) => Promise<unknown>,
  ): Promise<void> {
    const leaseMs = this.#random.pick([150, 300, 1_000]);
    const once = this.#once(leaseMs);
    const [workMs, throws] = [this.#workMs(), this.#random.chance(0.15)];
    const holding = new Holding(this.#recorder, { caller: this.#caller, leaseMs });
    const calling = this.#recorder.call({ caller: this.#caller, op, id: once.id }, async () => {
      const value = await run(once, async ({ fence, attempt, signal }) => {
        const value = this.#recorder.unique();
        holding.got({ id: once.id, fence, signal });
        this.#recorder.write("ran", { id: once.id, fence, attempt, value });
        await sleep(workMs);
        holding.leave();
        if (throws) throw new Deliberate();
        return value;
      });
      return { value: value as string | undefined };
    });
    await calling;
  }

  #once(leaseMs: number): Once {
    const generation = Math.floor(this.#recorder.now() / generationNs);
    const id = `once:${this.#random.whole(0, 3)}.${generation}`;
    return this.#store.once(id, { keepMs: Infinity, leaseMs });
  }

  #workMs(): number {
    return this.#random.chance(0.1) ? this.#random.whole(0, 600) : this.#random.whole(0, 20);
  }
}
