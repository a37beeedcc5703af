// What callers do, each one deed after the other: the calls of the history check, and those that need exact timing. The choices
// come from the seed.
//
// Lists ("list:…") are only appended to, so that they show all that was ever done. Scratch states are deleted and replaced.

import type { Grant } from "../../../src/index.ts";
import type { List } from "../../torture/checker/history.ts";
import type { Holding } from "../../torture/holding.ts";
import type { Random } from "../../torture/random.ts";
import { Deliberate, type Recorder } from "../../torture/recorder.ts";
import {
  append,
  empty,
  RecordedCalls,
  seen,
  type CallerOptions,
  type How,
  type Lists,
} from "./recorded-calls.ts";

/** How often each is done. */
// prettier-ignore
const deeds = {
  update: 14, slowUpdate: 6, burst: 16, awaitOther: 4, awaitEarlier: 0, run: 8, compareAndSet: 8, insert: 6, replace: 4, remove: 3,
  locked: 12, byHand: 10, gate: 10, linger: 4, giveUp: 6, force: 2, look: 5,
};

export class Caller {
  readonly #of: CallerOptions;
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #calls: RecordedCalls;

  constructor(options: CallerOptions) {
    this.#of = options;
    this.#random = options.random;
    this.#recorder = options.recorder;
    this.#calls = new RecordedCalls(options);
  }

  async work(): Promise<void> {
    const weights = { ...deeds, awaitEarlier: this.#of.setting.awaitsEarlier ? 20 : 0 };
    for (let left = this.#of.setting.deeds; left > 0; left -= 1) {
      if (this.#random.chance(0.7)) await this.#of.loop.sleep(this.#random.whole(1, 40));
      await this[this.#random.weighted(weights)]();
    }
  }

  update(): Promise<unknown> {
    return this.#calls.append(this.#calls.anyState(), () => undefined);
  }

  /** Its function takes long, at times longer than a lease. */
  slowUpdate(): Promise<unknown> {
    const ms = this.#random.chance(0.2) ? this.#random.whole(100, 1_500) : this.#random.whole(1, 30);
    return this.#calls.append(
      this.#calls.anyState(),
      () => this.#of.loop.sleep(ms),
      this.#calls.patience(0.1),
    );
  }

  /** Several in one tick, of which some fail by themselves, and some are saves. */
  async burst(): Promise<void> {
    const state = this.#calls.anyState();
    const calls = Array.from({ length: this.#random.whole(2, 5) }, () => {
      const kind = this.#random.weighted({ update: 6, throws: 3, slow: 1, save: 1, insert: 2 });
      if (kind === "save" && state.id.startsWith("scratch")) return this.#calls.save(state, undefined);
      if (kind === "insert") return this.#calls.save(state, "absent");
      return this.#calls.append(state, (): void | Promise<void> => {
        if (kind === "throws") throw new Deliberate();
        return kind === "slow" ? this.#of.loop.sleep(this.#random.whole(0, 20)) : undefined;
      });
    });
    await Promise.all(calls);
  }

  /** A function that waits for another state's load or update. */
  async awaitOther(): Promise<void> {
    const other = this.#of.store.state<List>("side:0", { initial: empty });
    await this.#calls.append(this.#calls.anyState(), async () => {
      if (this.#random.chance(0.5)) await other.load().catch((error: unknown) => this.#calls.tolerate(error));
      else await this.#calls.append(other, () => undefined, { waitMs: 500 });
    });
  }

  /** The function of a later update waits for the answer of an earlier one. */
  async awaitEarlier(): Promise<void> {
    const state = this.#calls.anyState();
    const earlier = this.#calls.append(state, () => undefined);
    const later = this.#calls.append(state, async () => {
      await earlier;
    });
    await Promise.all([
      earlier,
      later,
      this.#random.chance(0.3) ? this.#calls.append(state, () => undefined) : undefined,
    ]);
  }

  /** While its function runs, an update holds the lock like anybody else. */
  async run(): Promise<void> {
    const state = this.#calls.anyState();
    const ms = this.#random.chance(0.4) ? this.#random.whole(1, 200) : 0;
    const throws = this.#random.chance(0.15);
    const onServed = this.#of.turns.ask(state.id);
    const asked = this.#recorder.now();
    await this.#recorder.append(this.#calls.begin("run", state.id), (add) =>
      state.run(async (draft, turn) => {
        onServed();
        this.#calls.saw(state.id, add, draft);
        const holding = this.#calls.holding(this.#of.setting.options.leaseMs, asked); // one for each time that it is called
        holding.got({ id: state.id, fence: turn.fence, signal: turn.signal }, { draft: true });
        append(draft, add);
        await (ms > 0 ? this.#of.loop.sleep(ms) : Promise.resolve());
        holding.leave();
        if (throws) throw new Deliberate();
        return { fence: turn.fence, ...seen(draft) };
      }, this.#calls.how()),
    );
  }

  async compareAndSet(): Promise<void> {
    const state = this.#calls.anyState();
    const before = await this.#calls.look(state);
    if (before === undefined) return;
    if (this.#random.chance(0.3)) await this.#of.loop.sleep(this.#random.whole(0, 20));
    await this.#calls.save(state, before.ifRevision, before.value);
  }

  insert(): Promise<unknown> {
    return this.#calls.save(this.#calls.scratch(), "absent");
  }

  replace(): Promise<unknown> {
    return this.#calls.save(this.#calls.scratch(), undefined);
  }

  remove(): Promise<unknown> {
    const state = this.#calls.scratch();
    return this.#recorder.call(this.#calls.begin("delete", state.id), async () => {
      await state.delete(this.#calls.how());
      return {};
    });
  }

  /** Lock, load, save, by `lock.run`: the save finds its grant by the context. */
  async locked(): Promise<void> {
    const state = this.#calls.anyState();
    const leaseMs = this.#calls.leaseMs();
    const holding = this.#calls.holding(leaseMs);
    const onServed = this.#of.turns.ask(state.id);
    await holding.settle(() =>
      this.#of.store.lock(state.id).run(
        async (grant) => {
          onServed();
          holding.got(grant);
          await this.#workUnder({ state, grant, holding, explicit: false }).finally(() => holding.leave());
        },
        { leaseMs, ...this.#calls.patience(0.1) },
      ),
    );
  }

  /** The same by `acquire` and `release`, with the grant handed on. */
  async byHand(): Promise<void> {
    const state = this.#calls.anyState();
    const leaseMs = this.#calls.leaseMs();
    const holding = this.#calls.holding(leaseMs);
    const onServed = this.#of.turns.ask(state.id);
    await holding.settle(async () => {
      const lock = this.#of.store.lock(state.id);
      const once = this.#random.chance(0.3);
      const grant = once
        ? await lock.tryAcquire({ leaseMs })
        : await lock.acquire({ leaseMs, ...this.#calls.how() });
      if (grant === null) return;
      onServed();
      holding.got(grant);
      await this.#workUnder({ state, grant, holding, explicit: true });
      holding.leave();
      const again = grant.release();
      const [answer, repeated] = [await grant.release(), await again];
      if (answer !== repeated) this.#recorder.wrong("two releases of one grant had different answers");
      return answer;
    });
  }

  /** A lock alone, for a moment. */
  gate(): Promise<void> {
    return this.#stay(this.#random.whole(0, 8), { leaseMs: this.#calls.leaseMs(), ...this.#calls.how() });
  }

  /** Much longer than its lease. */
  linger(): Promise<void> {
    return this.#stay(this.#random.whole(100, 2_000), { leaseMs: 100 + this.#random.whole(0, 200) });
  }

  /** Waits for a short time only; a grant that comes all the same is released. */
  giveUp(): Promise<void> {
    return this.#stay(
      0,
      this.#random.chance(0.5) ? { waitMs: this.#random.whole(0, 40) } : this.#calls.patience(1),
    );
  }

  async force(): Promise<void> {
    const id = this.#random.chance(0.5) ? "gate:0" : this.#calls.anyState().id;
    await this.#recorder.call(this.#calls.begin("force", id), async () => {
      await this.#of.store.lock(id).forceRelease();
      return {};
    });
  }

  async look(): Promise<void> {
    await this.#calls.look(this.#calls.anyState());
  }

  async #stay(ms: number, how: How): Promise<void> {
    const leaseMs = Number(how["leaseMs"] ?? this.#of.setting.options.leaseMs);
    const holding = this.#calls.holding(leaseMs);
    const id = this.#of.setting.isCrowded ? "list:0" : "gate:0";
    const onServed = this.#of.turns.ask(id);
    await holding.settle(() =>
      this.#of.store.lock(id).run(async (grant) => {
        onServed();
        holding.got(grant);
        await (ms > 0 ? this.#of.loop.sleep(ms) : Promise.resolve());
        holding.leave();
      }, how),
    );
  }

  /** What is done while a state's lock is held: load, perhaps dawdle, re-enter or branch, and save. */
  async #workUnder(under: {
    state: Lists;
    grant: Grant;
    holding: Holding;
    explicit: boolean;
  }): Promise<void> {
    const { state, grant, holding, explicit } = under;
    const random = this.#random;
    const how: How = explicit ? { grant } : {};
    const hold = holding.number;
    let loaded: List | undefined;
    await this.#recorder.call(this.#calls.begin("load", state.id), async () =>
      seen((loaded = await state.load())),
    );
    if (loaded === undefined) return;
    // What is deleted behind the back of a holder would come to be again.
    const value: List = state.id.startsWith("scratch") ? empty() : loaded;
    if (random.chance(0.3)) await this.#of.loop.sleep(random.whole(1, 300));
    const begin = { ...this.#calls.begin("save", state.id), hold };
    const saved = await this.#recorder.append(begin, async (add) => {
      this.#calls.saw(state.id, add, value);
      append(value, add);
      return { revision: await state.save(value, how) };
    });
    if (saved !== "ok") return;
    if (random.chance(0.3)) await this.#reenter(grant, holding);
    if (random.chance(0.3)) await this.#calls.append(state, () => undefined, { ...how, hold });
  }

  /** Two branches inside one owner: both enter, one after the other, with the outer fence [L4]. */
  async #reenter(grant: Grant, holding: Holding): Promise<void> {
    const { id } = grant;
    let inside = 0;
    const branch = (): Promise<void> =>
      this.#of.store.lock(id).run(
        async (inner) => {
          if (inner.fence !== grant.fence)
            this.#recorder.wrong(`${id}: a re-entry has fence ${inner.fence}, not ${grant.fence}`);
          if ((inside += 1) > 1) this.#recorder.wrong(`${id}: two branches inside one owner at once`);
          await this.#of.loop.sleep(1);
          inside -= 1;
        },
        { grant },
      );
    await holding.tolerate(Promise.allSettled([branch(), branch()]));
  }
}
