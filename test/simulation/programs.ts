// What callers do, each one deed after the other: the calls of the history check, and those that need exact timing. The choices
// come from the seed.
//
// Lists ("list:…") are only appended to, so that they show all that was ever done. Scratch states are deleted and replaced.

import type { Grant, State, Store } from "../../src/index.ts";
import { digest, type List } from "../torture/checker/history.ts";
import { Holding } from "../torture/holding.ts";
import type { Random } from "../torture/random.ts";
import { Deliberate, type Answer, type Recorder } from "../torture/recorder.ts";
import type { Loop } from "./clock.ts";
import type { Setting } from "./setting.ts";

/** How often each is done. */
// prettier-ignore
const deeds = {
  update: 14, slowUpdate: 6, burst: 16, awaitOther: 4, awaitEarlier: 0, run: 8, compareAndSet: 8, insert: 6, replace: 4, remove: 3,
  locked: 12, byHand: 10, gate: 10, linger: 4, giveUp: 6, force: 2, look: 5,
};

export interface CallerOptions {
  readonly store: Store;
  readonly loop: Loop;
  readonly recorder: Recorder;
  readonly number: number;
  readonly random: Random;
  readonly setting: Setting;
  readonly turns: Turns;
}

/** [L2] Inside a process callers are served in call order. */
export class Turns {
  readonly #recorder: Recorder;
  readonly #asked = new Map<string, number>();
  readonly #served = new Map<string, number>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  ask(id: string): () => void {
    const place = (this.#asked.get(id) ?? 0) + 1;
    this.#asked.set(id, place);
    return () => {
      const last = this.#served.get(id) ?? 0;
      if (place < last) this.#recorder.wrong(`${id}: call ${place} was served after call ${last}`);
      this.#served.set(id, Math.max(place, last));
    };
  }
}

type Lists = State<List, List>;
type Draft = (draft: List) => void | Promise<void>;
type How = Record<string, unknown>;

const seen = ({ count, ids }: List): Answer => ({ count, length: ids.length, digest: digest(ids) });
const empty = (): List => ({ count: 0, ids: [] });

export class Caller {
  readonly #of: CallerOptions;
  readonly #random: Random;
  readonly #recorder: Recorder;

  constructor(options: CallerOptions) {
    this.#of = options;
    this.#random = options.random;
    this.#recorder = options.recorder;
  }

  async work(): Promise<void> {
    const weights = { ...deeds, awaitEarlier: this.#of.setting.awaitsEarlier ? 20 : 0 };
    for (let left = this.#of.setting.deeds; left > 0; left -= 1) {
      if (this.#random.chance(0.7)) await this.#of.loop.sleep(this.#random.whole(1, 40));
      await this[this.#random.weighted(weights)]();
    }
  }

  update(): Promise<unknown> {
    return this.#append(this.#anyState(), () => undefined);
  }

  /** Its function takes long, at times longer than a lease. */
  slowUpdate(): Promise<unknown> {
    const ms = this.#random.chance(0.2) ? this.#random.whole(100, 1_500) : this.#random.whole(1, 30);
    return this.#append(this.#anyState(), () => this.#of.loop.sleep(ms), this.#patience(0.1));
  }

  /** Several in one tick, of which some fail by themselves, and some are saves. */
  async burst(): Promise<void> {
    const state = this.#anyState();
    const calls = Array.from({ length: this.#random.whole(2, 5) }, () => {
      const kind = this.#random.weighted({ update: 6, throws: 3, slow: 1, save: 1, insert: 2 });
      if (kind === "save" && state.id.startsWith("scratch")) return this.#save(state, undefined);
      if (kind === "insert") return this.#save(state, "absent");
      return this.#append(state, (): void | Promise<void> => {
        if (kind === "throws") throw new Deliberate();
        return kind === "slow" ? this.#of.loop.sleep(this.#random.whole(0, 20)) : undefined;
      });
    });
    await Promise.all(calls);
  }

  /** A function that waits for another state's load or update. */
  async awaitOther(): Promise<void> {
    const other = this.#of.store.state<List>("side:0", { initial: empty });
    await this.#append(this.#anyState(), async () => {
      if (this.#random.chance(0.5)) await other.load().catch((error: unknown) => this.#tolerate(error));
      else await this.#append(other, () => undefined, { waitMs: 500 });
    });
  }

  /** The function of a later update waits for the answer of an earlier one. */
  async awaitEarlier(): Promise<void> {
    const state = this.#anyState();
    const earlier = this.#append(state, () => undefined);
    const later = this.#append(state, async () => {
      await earlier;
    });
    await Promise.all([
      earlier,
      later,
      this.#random.chance(0.3) ? this.#append(state, () => undefined) : undefined,
    ]);
  }

  /** While its function runs, an update holds the lock like anybody else. */
  async run(): Promise<void> {
    const state = this.#anyState();
    const ms = this.#random.chance(0.4) ? this.#random.whole(1, 200) : 0;
    const throws = this.#random.chance(0.15);
    const onServed = this.#of.turns.ask(state.id);
    const asked = this.#recorder.now();
    await this.#recorder.append(this.#begin("run", state.id), (add) =>
      state.run(async (draft, turn) => {
        onServed();
        this.#saw(state.id, add, draft);
        const holding = this.#holding(this.#of.setting.options.leaseMs, asked); // one for each time that it is called
        holding.got({ id: state.id, fence: turn.fence, signal: turn.signal }, true);
        append(draft, add);
        await (ms > 0 ? this.#of.loop.sleep(ms) : Promise.resolve());
        holding.leave();
        if (throws) throw new Deliberate();
        return { fence: turn.fence, ...seen(draft) };
      }, this.#how()),
    );
  }

  async compareAndSet(): Promise<void> {
    const state = this.#anyState();
    const before = await this.#look(state);
    if (before === undefined) return;
    if (this.#random.chance(0.3)) await this.#of.loop.sleep(this.#random.whole(0, 20));
    await this.#save(state, before.ifRevision, before.value);
  }

  insert(): Promise<unknown> {
    return this.#save(this.#scratch(), "absent");
  }

  replace(): Promise<unknown> {
    return this.#save(this.#scratch(), undefined);
  }

  remove(): Promise<unknown> {
    const state = this.#scratch();
    return this.#recorder.call(this.#begin("delete", state.id), async () => {
      await state.delete(this.#how());
      return {};
    });
  }

  /** Lock, load, save, by `lock.run`: the save finds its grant by the context. */
  async locked(): Promise<void> {
    const state = this.#anyState();
    const leaseMs = this.#leaseMs();
    const holding = this.#holding(leaseMs);
    const onServed = this.#of.turns.ask(state.id);
    await holding.settle(() =>
      this.#of.store.lock(state.id).run(
        async (grant) => {
          onServed();
          holding.got(grant);
          await this.#workUnder({ state, grant, holding, explicit: false }).finally(() => holding.leave());
        },
        { leaseMs, ...this.#patience(0.1) },
      ),
    );
  }

  /** The same by `acquire` and `release`, with the grant handed on. */
  async byHand(): Promise<void> {
    const state = this.#anyState();
    const leaseMs = this.#leaseMs();
    const holding = this.#holding(leaseMs);
    const onServed = this.#of.turns.ask(state.id);
    await holding.settle(async () => {
      const lock = this.#of.store.lock(state.id);
      const once = this.#random.chance(0.3);
      const grant = once
        ? await lock.tryAcquire({ leaseMs })
        : await lock.acquire({ leaseMs, ...this.#how() });
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
    return this.#stay(this.#random.whole(0, 8), { leaseMs: this.#leaseMs(), ...this.#how() });
  }

  /** Much longer than its lease. */
  linger(): Promise<void> {
    return this.#stay(this.#random.whole(100, 2_000), { leaseMs: 100 + this.#random.whole(0, 200) });
  }

  /** Waits for a short time only; a grant that comes all the same is released. */
  giveUp(): Promise<void> {
    return this.#stay(
      0,
      this.#random.chance(0.5) ? { waitMs: this.#random.whole(0, 40) } : this.#patience(1),
    );
  }

  async force(): Promise<void> {
    const id = this.#random.chance(0.5) ? "gate:0" : this.#anyState().id;
    await this.#recorder.call(this.#begin("force", id), async () => {
      await this.#of.store.lock(id).forceRelease();
      return {};
    });
  }

  async look(): Promise<void> {
    await this.#look(this.#anyState());
  }

  async #stay(ms: number, how: How): Promise<void> {
    const leaseMs = Number(how["leaseMs"] ?? this.#of.setting.options.leaseMs);
    const holding = this.#holding(leaseMs);
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
    await this.#recorder.call(this.#begin("load", state.id), async () => seen((loaded = await state.load())));
    if (loaded === undefined) return;
    // What is deleted behind the back of a holder would come to be again.
    const value: List = state.id.startsWith("scratch") ? empty() : loaded;
    if (random.chance(0.3)) await this.#of.loop.sleep(random.whole(1, 300));
    const begin = { ...this.#begin("save", state.id), hold };
    const saved = await this.#recorder.append(begin, async (add) => {
      this.#saw(state.id, add, value);
      append(value, add);
      return { revision: await state.save(value, how) };
    });
    if (saved !== "ok") return;
    if (random.chance(0.3)) await this.#reenter(grant, holding);
    if (random.chance(0.3)) await this.#append(state, () => undefined, { ...how, hold });
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

  /** An update that appends, and then does what `more` says. `hold`: it is made under this grant. */
  #append(state: Lists, more: Draft, given: How = {}): Promise<unknown> {
    const { hold, ...how } = { ...this.#how(), ...given };
    const onServed = hold === undefined ? this.#of.turns.ask(state.id) : () => undefined;
    let calls = 0;
    const begin = { ...this.#begin("update", state.id), hold: hold as number | undefined };
    return this.#recorder.append(begin, async (add) => {
      const value = await state.update(async (draft) => {
        if ((calls += 1) === 1) onServed();
        else if (state.id.startsWith("list")) this.#recorder.write("again", { id: state.id, add, calls });
        this.#saw(state.id, add, draft);
        append(draft, add);
        await more(draft);
      }, how);
      return seen(value);
    });
  }

  /** The whole value; a conflict is told as a failure. */
  #save(state: Lists, ifRevision: number | "absent" | undefined, value = empty()): Promise<unknown> {
    const begin = { ...this.#begin("save", state.id), ifRevision };
    return this.#recorder.append(begin, async (add) => {
      append(value, add);
      return {
        revision: await state.save(value, {
          ...this.#how(),
          ...(ifRevision !== undefined && { ifRevision }),
        }),
      };
    });
  }

  async #look(state: Lists): Promise<{ ifRevision: number | "absent"; value: List } | undefined> {
    let found: { ifRevision: number | "absent"; value: List } | undefined;
    await this.#recorder.call(this.#begin("read", state.id), async () => {
      const stored = await state.read();
      const value = stored?.value ?? empty();
      found = { ifRevision: stored?.revision ?? "absent", value };
      return { revision: stored?.revision, ...seen(value) };
    });
    return found;
  }

  #saw(id: string, add: string, { ids }: List): void {
    this.#recorder.write("saw", { id, add, ids: [...ids] });
  }

  #tolerate(error: unknown): void {
    this.#recorder.outcomeOf(error);
  }

  #begin(op: string, id: string): { caller: number; op: string; id: string; waitMs: number } {
    return { caller: this.#of.number, op, id, waitMs: this.#of.setting.options.waitMs };
  }

  #holding(leaseMs: number, asked?: number): Holding {
    return new Holding(this.#recorder, { caller: this.#of.number, leaseMs, asked });
  }

  #anyState(): Lists {
    const { lists, isCrowded } = this.#of.setting;
    if (!isCrowded && this.#random.chance(0.2)) return this.#scratch();
    const list = isCrowded ? 0 : this.#random.whole(0, lists - 1);
    return this.#of.store.state<List>(`list:${list}`, { initial: empty });
  }

  #scratch(): Lists {
    return this.#of.store.state<List>("scratch:0", { initial: empty });
  }

  #leaseMs(): number {
    return this.#random.pick(this.#of.setting.leasesMs);
  }

  /** Options that a call may have. */
  #how(): How {
    const { hasReplicas, options } = this.#of.setting;
    const random = this.#random;
    if (!hasReplicas || random.chance(0.5)) return {};
    return { durability: { replicas: random.whole(1, 2), timeoutMs: Math.floor(options.operationMs / 3) } };
  }

  /** Sometimes a signal that ends waiting after a moment. */
  #patience(chance: number): How {
    if (!this.#random.chance(chance)) return {};
    const controller = new AbortController();
    this.#of.loop.setTimeout(() => controller.abort(new Deliberate()), this.#random.whole(1, 60));
    return { signal: controller.signal };
  }
}

function append(list: List, add: string): void {
  list.count += 1;
  list.ids.push(add);
}
