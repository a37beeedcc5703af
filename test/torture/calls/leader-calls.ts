// What a caller does with an office: campaigns for it, proclaims something while it leads, stays for longer than its lease,
// resigns; and asks who leads, or watches that.

import { setTimeout as sleep } from "node:timers/promises";

import type { Leader, LeaderInfo, Store, Term } from "../../../src/index.ts";
import type { Setting } from "../caller.ts";
import { Holding } from "../holding.ts";
import type { Random } from "../random.ts";
import { Deliberate, type Recorder } from "../recorder.ts";

/** How often each is done. */
const deeds = { campaign: 4, current: 5, watch: 2 };

type Office = Leader<string>;

export class LeaderCalls {
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

  /** Ends after a while, whether it waits then or leads. */
  async campaign(): Promise<void> {
    const [office, leaseMs] = [this.#office(), this.#random.pick([150, 400, 1_000])];
    const [value, stayMs] = [this.#recorder.unique(), this.#stayMs()];
    const ending = new AbortController();
    setTimeout(() => ending.abort(new Deliberate()), this.#random.whole(80, 700));
    const holdings: Holding[] = [];
    let asked = this.#recorder.now();
    const lead = async (term: Term<string>): Promise<void> => {
      const own = new Holding(this.#recorder, { caller: this.#caller, leaseMs, asked });
      holdings.push(own);
      own.got({ id: office.id, fence: term.fence, signal: term.signal });
      await this.#lead(term, own, stayMs);
      own.leave();
      asked = this.#recorder.now(); // if it campaigns again
    };
    const begin = { ...this.#begin("campaign", office), proclaims: value };
    await this.#recorder.call(begin, async () => {
      const running = office.run(lead, { value, leaseMs, signal: ending.signal });
      await running.catch(() => undefined);
      await holdings.at(-1)?.settle(() => running);
      return running.then(() => ({}));
    });
  }

  async #lead(term: Term<string>, holding: Holding, stayMs: number): Promise<void> {
    const until = performance.now() + stayMs;
    const resigns = this.#random.chance(0.2);
    while (performance.now() < until && !term.signal.aborted) {
      if (this.#random.chance(0.5)) await this.#proclaim(term, holding);
      await sleep(this.#random.whole(1, 30), undefined, { signal: term.signal }).catch(() => undefined);
    }
    if (!resigns) return;
    holding.leave();
    await holding.tolerate(term.resign());
  }

  async #proclaim(term: Term<string>, holding: Holding): Promise<void> {
    const value = this.#recorder.unique();
    const begin = { ...this.#begin("proclaim", term), hold: holding.number, proclaims: value };
    await this.#recorder.call(begin, async () => {
      await term.proclaim(value);
      return {};
    });
  }

  async current(): Promise<void> {
    const office = this.#office();
    await this.#recorder.call(this.#begin("current", office), async () => seen(await office.current()));
  }

  /** Each change that it yields was asked for after the one before it had been taken. */
  async watch(): Promise<void> {
    const office = this.#office();
    const changes = office.watch()[Symbol.asyncIterator]();
    let isOver = false;
    const end = sleep(this.#random.whole(50, 300)).then(() => {
      isOver = true;
      return changes.return?.();
    });
    while (!isOver) {
      const outcome = await this.#recorder.call(this.#begin("watch", office), async () => {
        const next = await changes.next();
        return next.done === true ? {} : seen(next.value);
      });
      if (outcome !== "ok") break;
    }
    await end;
  }

  #office(): Office {
    return this.#store.leader<string>(`office:${this.#random.whole(0, 1)}`);
  }

  #begin(op: string, { id }: { readonly id: string }) {
    return { caller: this.#caller, op, id };
  }

  #stayMs(): number {
    return this.#random.chance(0.2) ? this.#random.whole(200, 700) : this.#random.whole(0, 60);
  }
}

function seen(info: LeaderInfo<string> | null) {
  return info === null ? { value: null } : { fence: info.fence, value: info.value };
}
