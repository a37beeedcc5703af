// The calls of a caller, each recorded with its answer; with states, options and patience that the seed picks.

import type { State, Store } from "../../../src/index.ts";
import { digest, type List } from "../../torture/checker/history.ts";
import { Holding } from "../../torture/holding.ts";
import type { Random } from "../../torture/random.ts";
import { Deliberate, type Answer, type Recorder } from "../../torture/recorder.ts";
import type { Loop } from "../clock.ts";
import type { Setting } from "../setting.ts";
import type { Turns } from "./turns.ts";

export interface CallerOptions {
  readonly store: Store;
  readonly loop: Loop;
  readonly recorder: Recorder;
  readonly number: number;
  readonly random: Random;
  readonly setting: Setting;
  readonly turns: Turns;
}

export type Lists = State<List, List>;
export type Draft = (draft: List) => void | Promise<void>;
export type How = Record<string, unknown>;

export const seen = ({ count, ids }: List): Answer => ({ count, length: ids.length, digest: digest(ids) });
export const empty = (): List => ({ count: 0, ids: [] });

export class RecordedCalls {
  readonly #of: CallerOptions;
  readonly #random: Random;
  readonly #recorder: Recorder;

  constructor(options: CallerOptions) {
    this.#of = options;
    this.#random = options.random;
    this.#recorder = options.recorder;
  }

  /** An update that appends, and then does what `more` says. `hold`: it is made under this grant. */
  append(state: Lists, more: Draft, given: How = {}): Promise<unknown> {
    const { hold, ...how } = { ...this.how(), ...given };
    const onServed = hold === undefined ? this.#of.turns.ask(state.id) : () => undefined;
    let calls = 0;
    const begin = { ...this.begin("update", state.id), hold: hold as number | undefined };
    return this.#recorder.append(begin, async (add) => {
      const value = await state.update(async (draft) => {
        if ((calls += 1) === 1) onServed();
        else if (state.id.startsWith("list")) this.#recorder.write("again", { id: state.id, add, calls });
        this.saw(state.id, add, draft);
        append(draft, add);
        await more(draft);
      }, how);
      return seen(value);
    });
  }

  async look(state: Lists): Promise<{ ifRevision: number | "absent"; value: List } | undefined> {
    let found: { ifRevision: number | "absent"; value: List } | undefined;
    await this.#recorder.call(this.begin("read", state.id), async () => {
      const stored = await state.read();
      const value = stored?.value ?? empty();
      found = { ifRevision: stored?.revision ?? "absent", value };
      return { revision: stored?.revision, ...seen(value) };
    });
    return found;
  }

  /** The whole value; a conflict is told as a failure. */
  save(state: Lists, ifRevision: number | "absent" | undefined, value = empty()): Promise<unknown> {
    const begin = { ...this.begin("save", state.id), ifRevision };
    return this.#recorder.append(begin, async (add) => {
      append(value, add);
      return {
        revision: await state.save(value, {
          ...this.how(),
          ...(ifRevision !== undefined && { ifRevision }),
        }),
      };
    });
  }

  saw(id: string, add: string, { ids }: List): void {
    this.#recorder.write("saw", { id, add, ids: [...ids] });
  }

  tolerate(error: unknown): void {
    this.#recorder.outcomeOf(error);
  }

  begin(op: string, id: string): { caller: number; op: string; id: string; waitMs: number } {
    return { caller: this.#of.number, op, id, waitMs: this.#of.setting.options.waitMs };
  }

  holding(leaseMs: number, asked?: number): Holding {
    return new Holding(this.#recorder, { caller: this.#of.number, leaseMs, asked });
  }

  anyState(): Lists {
    const { lists, isCrowded } = this.#of.setting;
    if (!isCrowded && this.#random.chance(0.2)) return this.scratch();
    const list = isCrowded ? 0 : this.#random.whole(0, lists - 1);
    return this.#of.store.state<List>(`list:${list}`, { initial: empty });
  }

  scratch(): Lists {
    return this.#of.store.state<List>("scratch:0", { initial: empty });
  }

  leaseMs(): number {
    return this.#random.pick(this.#of.setting.leasesMs);
  }

  /** Options that a call may have. */
  how(): How {
    const { hasReplicas, options } = this.#of.setting;
    const random = this.#random;
    if (!hasReplicas || random.chance(0.5)) return {};
    return { durability: { replicas: random.whole(1, 2), timeoutMs: Math.floor(options.operationMs / 3) } };
  }

  /** Sometimes a signal that ends waiting after a moment. */
  patience(chance: number): How {
    if (!this.#random.chance(chance)) return {};
    const controller = new AbortController();
    this.#of.loop.setTimeout(() => controller.abort(new Deliberate()), this.#random.whole(1, 60));
    return { signal: controller.signal };
  }
}

export function append(list: List, add: string): void {
  list.count += 1;
  list.ids.push(add);
}
