// What a caller does with the accounts of a bank: moves money between some of them in one commit, in the ways in which the
// locks can be had, and looks at all of them at once [S9].

import { setTimeout as sleep } from "node:timers/promises";

import type { State, Store, TransactContext } from "../../../src/index.ts";
import type { Setting } from "../caller.ts";
import { Holding } from "../holding.ts";
import type { Random } from "../random.ts";
import { Deliberate, type Answer, type Recorder } from "../recorder.ts";
import { accountId, byTransfer, flawsOf, newAccount, type Account } from "./account.ts";

const banks = 3;
const accountsOfABank = 6;
/** After so long a bank is left alone, and the next one founded by all: its entries must stay few. */
const generationNs = 5e9;

/** How often each is done. */
const deeds = { transfer: 10, underLock: 4, underSet: 3, tooLong: 1, close: 2, note: 3, audit: 3 };

type AccountState = State<Account, Account>;

/** Accounts that are changed together. */
interface Parties {
  readonly bank: string;
  /** Their numbers in the bank. */
  readonly numbers: readonly number[];
  readonly states: readonly AccountState[];
}

interface How {
  readonly options?: object;
  readonly leaseMs?: number;
  readonly restMs?: number;
  readonly throws?: boolean;
  /** The last of the accounts is closed, and the first takes over what it has. */
  readonly closes?: boolean;
}

export class BankCalls {
  readonly #store: Store;
  readonly #recorder: Recorder;
  readonly #caller: number;
  readonly #random: Random;
  readonly #defaultLeaseMs: number;

  constructor({ store, recorder, number, job, random }: Setting) {
    this.#store = store;
    this.#recorder = recorder;
    this.#caller = number;
    this.#random = random;
    this.#defaultLeaseMs = job.options.leaseMs ?? 30_000;
  }

  any(): Promise<void> {
    return this[this.#random.weighted(deeds)]();
  }

  /** When nothing is broken any more, a transfer between all accounts of each bank. */
  async last(): Promise<void> {
    for (let bank = 0; bank < banks; bank += 1)
      await this.#record("transfer", this.#parties(accountsOfABank, bank), {});
  }

  async transfer(): Promise<void> {
    const random = this.#random;
    const waitMs = random.chance(0.1) ? { waitMs: random.whole(0, 50) } : {};
    await this.#record("transfer", this.#some(), {
      options: { ...waitMs, ...this.#patience() },
      restMs: this.#restMs(),
      throws: random.chance(0.1),
    });
  }

  /** One of the locks is held already. If it is not the least, the others are only tried. */
  async underLock(): Promise<void> {
    const parties = this.#some();
    const how = this.#howInside();
    const holdings = this.#holdings(parties, how);
    const lock = this.#store.lock(this.#random.pick(parties.states).id);
    const inside = lock.run(() => this.#record("under-lock", parties, how, holdings), {
      leaseMs: how.leaseMs,
    });
    await this.#tolerate(inside);
  }

  /** All of the locks are held already: found by the context, or handed on. */
  async underSet(): Promise<void> {
    const parties = this.#some();
    const how = this.#howInside();
    const holdings = this.#holdings(parties, how);
    const set = this.#store.lockAll(parties.states.map(({ id }) => id));
    const record = (options?: object) =>
      this.#record("under-set", parties, { ...how, ...(options && { options }) }, holdings);
    const isHandedOn = this.#random.chance(0.5);
    const byHand = async (): Promise<void> => {
      const grant = await set.acquire({ leaseMs: how.leaseMs });
      await record({ grant });
      await grant.release();
    };
    await this.#tolerate(isHandedOn ? byHand() : set.run(() => record(), { leaseMs: how.leaseMs }));
  }

  /** The function takes longer than it may: within the grace it is saved, after it nothing is. */
  async tooLong(): Promise<void> {
    const restMs = this.#random.pick([this.#random.whole(0, 60), 1_200]);
    await this.#record("too-long", this.#some(), { options: { maxHoldMs: 20 }, restMs });
  }

  async close(): Promise<void> {
    await this.#record("close", this.#some(), { closes: true, restMs: this.#restMs() });
  }

  /** An update of one account among the commits of several. */
  async note(): Promise<void> {
    const { bank, numbers, states } = this.#parties(1);
    const [state] = states;
    await this.#recorder.append({ caller: this.#caller, op: "note", id: bank }, async (add) => {
      await state?.update((account) => {
        account.entries.push({ transfer: add, account: numbers[0] ?? 0, cents: 0, of: 1 });
      });
      return {};
    });
  }

  /** All accounts at once: under their locks, nothing is half done. */
  async audit(): Promise<void> {
    const { bank, states } = this.#parties(accountsOfABank);
    await this.#recorder.call({ caller: this.#caller, op: "audit", id: bank }, async () => {
      const accounts = await this.#store.transact([...states], (drafts) => structuredClone(drafts));
      const flaws = flawsOf(accounts).map(({ rule, text }) => `${rule}: ${text}`);
      const length = byTransfer(accounts).size;
      return { length, ...(flaws.length > 0 && { torn: flaws.join("; ") }) };
    });
  }

  /** `holdings`: made before the locks were asked for. */
  async #record(
    op: string,
    parties: Parties,
    how: How,
    holdings = this.#holdings(parties, how),
  ): Promise<void> {
    const begin = { caller: this.#caller, op, id: parties.bank };
    await this.#recorder.append(begin, async (add): Promise<Answer> => {
      const moved = this.#move(add, parties, { how, holdings });
      const settled = [...holdings.values()].map((holding) => holding.settle(() => moved.then(() => true)));
      await Promise.all(settled);
      await moved;
      return {};
    });
  }

  #move(
    add: string,
    { numbers, states }: Parties,
    { how, holdings }: { readonly how: How; readonly holdings: Holdings },
  ): Promise<void> {
    const { options, restMs = 0, throws = false, closes = false } = how;
    let calls = 0;
    const fn = async (drafts: (Account | undefined)[], context: TransactContext): Promise<void> => {
      if ((calls += 1) > 1) this.#recorder.write("again", { id: states[0]?.id, add, calls });
      else this.#enter(holdings, context);
      const accounts = drafts.map((draft) => draft ?? newAccount());
      write(accounts, { add, numbers, amounts: this.#amounts(accounts.length) });
      if (closes) closeLast(accounts);
      accounts.forEach((account, place) => void (drafts[place] = account));
      if (closes) context.delete(states.at(-1)!);
      await (restMs > 0 ? sleep(restMs) : Promise.resolve());
      for (const holding of holdings.values()) holding.leave();
      if (throws) throw new Deliberate();
    };
    return this.#store.transact([...states], fn, options);
  }

  #holdings({ states }: Parties, { leaseMs = this.#defaultLeaseMs }: How): Holdings {
    const of = { caller: this.#caller, leaseMs };
    return new Map(states.map(({ id }) => [id, new Holding(this.#recorder, of)]));
  }

  /** What is around a transfer may fail as anything may: only what must never be is recorded. */
  async #tolerate(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => this.#recorder.outcomeOf(error));
  }

  #howInside(): How & { readonly leaseMs: number } {
    const random = this.#random;
    const leaseMs = random.pick([200, this.#defaultLeaseMs]);
    return { leaseMs, restMs: this.#restMs(), throws: random.chance(0.1) };
  }

  #enter(holdings: Holdings, { fences, signal }: TransactContext): void {
    for (const [id, holding] of holdings) holding.got({ id, fence: fences[id] ?? NaN, signal });
  }

  /** So many amounts, which add up to nothing. */
  #amounts(count: number): number[] {
    const amounts = Array.from({ length: count - 1 }, () => this.#random.whole(-50, 50));
    return [...amounts, amounts.reduce((sum, amount) => sum - amount, 0)];
  }

  #some(): Parties {
    return this.#parties(this.#random.whole(2, 5));
  }

  /** `count` accounts of one bank, in any order. */
  #parties(count: number, number = this.#random.whole(0, banks - 1)): Parties {
    const bank = `bank:${number}.${Math.floor(this.#recorder.now() / generationNs)}`;
    const all = Array.from({ length: accountsOfABank }, (_, account) => account);
    const numbers = Array.from(
      { length: count },
      () => all.splice(this.#random.whole(0, all.length - 1), 1)[0]!,
    );
    const states = numbers.map((account) =>
      this.#store.state(accountId(bank, account), { initial: newAccount }),
    );
    return { bank, numbers, states };
  }

  #restMs(): number {
    const random = this.#random;
    if (random.chance(0.02)) return random.whole(100, 1_500);
    return random.chance(0.15) ? random.whole(1, 40) : 0;
  }

  /** Sometimes a signal that ends waiting after a moment. */
  #patience(): { signal?: AbortSignal } {
    if (!this.#random.chance(0.05)) return {};
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Deliberate()), this.#random.whole(0, 60));
    return { signal: controller.signal };
  }
}

/** By the id of the account. */
type Holdings = ReadonlyMap<string, Holding>;

function write(
  accounts: readonly Account[],
  { add, numbers, amounts }: { add: string; numbers: readonly number[]; amounts: readonly number[] },
): void {
  for (const [place, account] of accounts.entries()) {
    const cents = amounts[place] ?? 0;
    account.cents += cents;
    account.entries.push({ transfer: add, account: numbers[place] ?? 0, cents, of: numbers.length });
  }
}

function closeLast(accounts: readonly Account[]): void {
  const [heir, closed] = [accounts[0], accounts.at(-1)];
  if (heir === undefined || closed === undefined) return;
  heir.cents += closed.cents;
  heir.entries.push(...closed.entries);
}
