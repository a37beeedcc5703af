// One caller in a process: chooses what to do next, does it, and records what it was answered. Its choices repeat with the seed;
// what comes of them does not, since the machine decides who is first.

import { setTimeout as sleep } from "node:timers/promises";

import type { Grant, State, Store } from "../../src/index.ts";
import { BankCalls } from "./bank/bank-calls.ts";
import { digest, type List, type Outcome } from "./checker/history.ts";
import { LeaderCalls } from "./calls/leader-calls.ts";
import { LockCalls } from "./calls/lock-calls.ts";
import { OnceCalls } from "./calls/once-calls.ts";
import { Holding } from "./holding.ts";
import type { Random } from "./random.ts";
import { Deliberate, type Recorder } from "./recorder.ts";
import type { Job } from "./worker.ts";

/** After so long a list is left alone, and the next one begun by all: reading and saving it must stay cheap. */
const generationNs = 5e9;

/** How often each is done. */
// prettier-ignore
const deeds = {
  update: 30, run: 12, compareAndSet: 10, locked: 14, byHand: 10, giveUp: 6, force: 2, scratch: 6, look: 8, other: 91,
};
/** What is done with other things than lists. */
const others = { lock: 39, once: 14, leader: 7, bank: 30 };

export interface Setting {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly number: number;
  readonly job: Job;
  readonly random: Random;
}

/** What a look at a list saw. */
const seen = ({ count, ids }: List) => ({ count, length: ids.length, digest: digest(ids) });

export class Caller {
  readonly #store: Store;
  readonly #recorder: Recorder;
  readonly #number: number;
  readonly #lists: number;
  readonly #random: Random;
  readonly #defaultLeaseMs: number;
  readonly banks: BankCalls;
  readonly #others: Readonly<Record<keyof typeof others, { any(): Promise<void> }>>;
  #stopped = false;

  constructor(setting: Setting) {
    const { store, recorder, number, job, random } = setting;
    const [lock, once, leader] = [new LockCalls(setting), new OnceCalls(setting), new LeaderCalls(setting)];
    this.banks = new BankCalls(setting);
    this.#others = { lock, once, leader, bank: this.banks };
    this.#store = store;
    this.#recorder = recorder;
    this.#number = number;
    this.#lists = job.lists;
    this.#random = random;
    this.#defaultLeaseMs = job.options.leaseMs ?? 30_000;
  }

  async work(): Promise<void> {
    while (!this.#stopped) {
      await sleep(this.#random.whole(1, 15));
      await this[this.#random.weighted(deeds)]();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The last thing that a process does to each list, when nothing is broken any more. */
  async last(list: number): Promise<void> {
    const state = this.#list(list);
    await this.#recorder.append(this.#begin("update", state.id), (add) => this.#push(state, add, {}));
  }

  async update(): Promise<void> {
    const state = this.#anyList();
    const random = this.#random;
    const how = { ...(random.chance(0.1) && { waitMs: random.whole(0, 50) }), ...this.#patience(0.08) };
    await this.#recorder.append(this.#begin("update", state.id), (add) => this.#push(state, add, how));
  }

  /** While its function runs, an update holds the lock like anybody else. */
  async run(): Promise<void> {
    const state = this.#anyList();
    const { throws, restMs } = { throws: this.#random.chance(0.1), restMs: this.#random.chance(0.2) ? 3 : 0 };
    const holding = new Holding(this.#recorder, { caller: this.#number, leaseMs: this.#defaultLeaseMs });
    await this.#recorder.append(this.#begin("run", state.id), (add) =>
      state.run(async (draft, turn) => {
        holding.got({ id: state.id, fence: turn.fence, signal: turn.signal }, { draft: true });
        append(draft, add);
        await (restMs > 0 ? sleep(restMs) : Promise.resolve());
        holding.leave();
        if (throws) throw new Deliberate();
        return { fence: turn.fence, ...seen(draft) };
      }),
    );
  }

  async compareAndSet(): Promise<void> {
    const state = this.#anyList();
    const before = await this.#look(state);
    if (before === undefined) return;
    const { ifRevision, value } = before;
    await this.#recorder.append({ ...this.#begin("save", state.id), ifRevision }, async (add) => {
      append(value, add);
      return { revision: await state.save(value, { ifRevision, ...this.#patience(0.05) }) };
    });
  }

  /** Lock, load, save, by `lock.run`: the save finds its grant by the context. */
  async locked(): Promise<void> {
    const state = this.#anyList();
    const leaseMs = this.#leaseMs();
    const holding = new Holding(this.#recorder, { caller: this.#number, leaseMs });
    await holding.settle(() =>
      this.#store.lock(state.id).run(
        async (grant) => {
          holding.got(grant);
          try {
            await this.#workUnder({ state, grant, holding, explicit: false });
          } finally {
            holding.leave();
          }
        },
        { leaseMs, ...this.#patience(0.05) },
      ),
    );
  }

  /** The same by `acquire` and `release`, with the grant handed on. */
  async byHand(): Promise<void> {
    const state = this.#anyList();
    const leaseMs = this.#leaseMs();
    const holding = new Holding(this.#recorder, { caller: this.#number, leaseMs });
    await holding.settle(async () => {
      const lock = this.#store.lock(state.id);
      const once = this.#random.chance(0.3);
      const grant = once ? await lock.tryAcquire({ leaseMs }) : await lock.acquire({ leaseMs });
      if (grant === null) return;
      holding.got(grant);
      await this.#workUnder({ state, grant, holding, explicit: true });
      holding.leave();
      const again = grant.release();
      const [answer, repeated] = [await grant.release(), await again];
      if (answer !== repeated) this.#recorder.wrong("two releases of one grant had different answers");
      return answer;
    });
  }

  other(): Promise<void> {
    return this.#others[this.#random.weighted(others)].any();
  }

  /** Waits for a short time only; whoever is granted all the same lets go. */
  async giveUp(): Promise<void> {
    const holding = new Holding(this.#recorder, { caller: this.#number, leaseMs: this.#defaultLeaseMs });
    const how = this.#random.chance(0.5) ? { waitMs: this.#random.whole(0, 30) } : this.#patience(1);
    await holding.settle(async () => {
      const grant = await this.#store.lock(this.#anyList().id).acquire(how);
      holding.got(grant);
      await Promise.resolve();
      holding.leave();
      return grant.release();
    });
  }

  async force(): Promise<void> {
    const id = this.#random.chance(0.5) ? `gate:${this.#random.whole(0, 1)}` : this.#anyList().id;
    await this.#recorder.call(this.#begin("force", id), async () => {
      await this.#store.lock(id).forceRelease();
      return {};
    });
  }

  /** States that are saved, deleted and left to expire: their revisions rise all the same. */
  async scratch(): Promise<void> {
    const state = this.#store.state<{ from: string }>(`scratch:${this.#random.whole(0, 2)}`);
    const deed = this.#random.weighted({ save: 5, delete: 2, touch: 1 });
    await this.#recorder.call(this.#begin(deed, state.id), async () => {
      if (deed === "delete") await state.delete();
      if (deed === "touch") await state.touch(this.#random.whole(1, 500));
      if (deed !== "save") return {};
      const ttlMs = this.#random.pick(["keep", "none", 50, 60_000, { whenNew: 50 }] as const);
      return { revision: await state.save({ from: String(this.#number) }, { ttlMs }) };
    });
  }

  async look(): Promise<void> {
    await this.#look(this.#anyList());
  }

  /** What is done while a list's lock is held: load, perhaps dawdle, re-enter or branch, and save. */
  async #workUnder(under: {
    state: State<List, List>;
    grant: Grant;
    holding: Holding;
    explicit: boolean;
  }): Promise<void> {
    const { state, grant, holding, explicit } = under;
    const random = this.#random;
    const how = explicit ? { grant } : {};
    const begin = { ...this.#begin("save", state.id), hold: holding.number };
    let value: List | undefined;
    await this.#recorder.call(this.#begin("load", state.id), async () => {
      value = await state.load();
      return seen(value);
    });
    if (value === undefined) return;
    const loaded: List = value;
    if (random.chance(0.1)) await sleep(random.whole(1, 40));
    if (random.chance(0.02)) await sleep(random.whole(100, 1_500));
    const saved: Outcome = await this.#recorder.append(begin, async (add) => {
      append(loaded, add);
      return { revision: await state.save(loaded, how) };
    });
    if (saved !== "ok") return;
    if (random.chance(0.2)) await this.#reenter(state.id, grant, holding);
    if (random.chance(0.2)) {
      await this.#recorder.append({ ...begin, op: "update" }, (add) => this.#push(state, add, how));
    }
  }

  /** Two branches inside one owner: both enter, one after the other, with the outer fence [L4]. */
  async #reenter(id: string, grant: Grant, holding: Holding): Promise<void> {
    let inside = 0;
    const branch = (): Promise<void> =>
      this.#store.lock(id).run(
        async (inner) => {
          if (inner.fence !== grant.fence)
            this.#recorder.wrong(`${id}: a re-entry has fence ${inner.fence}, not ${grant.fence}`);
          if ((inside += 1) > 1) this.#recorder.wrong(`${id}: two branches inside one owner at once`);
          await Promise.resolve();
          inside -= 1;
        },
        { grant },
      );
    await holding.tolerate(Promise.all([branch(), branch()]));
  }

  async #push(state: State<List, List>, add: string, how: object) {
    let calls = 0;
    let fence = 0;
    const value = await state.update((draft, turn) => {
      if ((calls += 1) > 1) this.#recorder.write("again", { id: state.id, add, calls });
      append(draft, add);
      fence = turn.fence;
    }, how);
    return { fence, ...seen(value) };
  }

  async #look(state: State<List, List>) {
    let snapshot: { ifRevision: number | "absent"; value: List } | undefined;
    await this.#recorder.call(this.#begin("read", state.id), async () => {
      const stored = await state.read();
      const value = stored?.value ?? { count: 0, ids: [] };
      snapshot = { ifRevision: stored?.revision ?? "absent", value };
      return { revision: stored?.revision, ...seen(value) };
    });
    return snapshot;
  }

  #begin(op: string, id: string) {
    return { caller: this.#number, op, id };
  }

  #anyList(): State<List, List> {
    return this.#list(this.#random.whole(0, this.#lists - 1));
  }

  #list(list: number): State<List, List> {
    const generation = Math.floor(this.#recorder.now() / generationNs);
    const id = `list:${list}.${generation}`;
    return this.#store.state(id, { initial: (): List => ({ count: 0, ids: [] }) });
  }

  #leaseMs(): number {
    return this.#random.pick([150, 500, this.#defaultLeaseMs, this.#defaultLeaseMs]);
  }

  /** Sometimes a signal that ends waiting after a moment. */
  #patience(chance: number): { signal?: AbortSignal } {
    if (!this.#random.chance(chance)) return {};
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Deliberate()), this.#random.whole(0, 60));
    return { signal: controller.signal };
  }
}

function append(list: List, add: string): void {
  list.count += 1;
  list.ids.push(add);
}
