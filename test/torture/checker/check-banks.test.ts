// The rules of banks: a right history passes, and each wrong one is caught by the rule that it breaks.

import { expect, test } from "vitest";

import { accountId, type Account, type Entry } from "../bank/account.ts";
import { check } from "./checker.ts";
import { History } from "./history.ts";

const bank = "bank:0.0";

/** Ten milliseconds pass with each line. */
class Story {
  readonly #history = new History();
  readonly #accounts: Account[] = [];
  #at = 0;
  #n = 0;

  constructor(run: object = {}) {
    this.line("run", { backend: "redis", ...run });
    this.line("life", { life: "1.1" });
  }

  line(ev: string, fields: object): this {
    this.#at += 10e6;
    this.#history.add({ ev, at: this.#at, ...fields });
    return this;
  }

  begin(op: string, fields: object): number {
    const n = (this.#n += 1);
    this.line("begin", { life: "1.1", n, caller: 0, op, id: bank, ...fields });
    return n;
  }

  call(op: string, fields: object, answer: object = {}): this {
    const n = this.begin(op, fields);
    return this.line("end", { life: "1.1", n, outcome: "ok", ...answer });
  }

  transfer(add: string, answer: object = {}): this {
    return this.call("transfer", { add }, answer);
  }

  audit(length: number, answer: object = {}): this {
    return this.call("audit", {}, { length, ...answer });
  }

  /** An account as it is in the end. */
  account(entries: readonly Entry[], cents = entries.reduce((sum, entry) => sum + entry.cents, 0)): this {
    const value: Account = { cents, entries: [...entries] };
    this.#accounts.push(value);
    return this.line("account", { id: accountId(bank, this.#accounts.length - 1), value });
  }

  get rules(): string[] {
    return [...new Set(check(this.#history.close()).violations.map(({ rule }) => rule))];
  }
}

const entry = (transfer: string, account: number, cents: number, of = 2): Entry => ({
  transfer,
  account,
  cents,
  of,
});
const unknown = { outcome: "unknown", code: "UNREACHABLE" };
const failed = { outcome: "failed", code: "LOCK_TIMEOUT" };

test("a right history passes, whether or not what is unknown was done", () => {
  const begun = (): Story => new Story().transfer("a").transfer("b", unknown).transfer("c", failed).audit(1);
  const [from, to] = [entry("a", 0, -5), entry("a", 1, 5)];
  expect(begun().account([from]).account([to]).rules).toEqual([]);
  const [alsoFrom, alsoTo] = [entry("b", 1, -1), entry("b", 0, 1)];
  expect(begun().account([from, alsoTo]).account([to, alsoFrom]).rules).toEqual([]);
});

test("an account that was closed has left its entries to another", () => {
  const story = new Story().transfer("a").transfer("b");
  const left = [entry("b", 0, 2), entry("a", 0, -5), entry("a", 1, 5), entry("b", 1, -2)];
  expect(story.account(left).rules).toEqual([]);
});

test("a transfer that is in one of its accounts only", () => {
  const story = new Story().transfer("a").account([entry("a", 0, 0)]);
  expect(story.account([]).rules).toEqual(["half-done"]);
  const withMoney = new Story().transfer("a").account([entry("a", 0, -5)]);
  expect(withMoney.account([]).rules).toEqual(["sum", "half-done"]);
});

test("half of a transfer with an unknown outcome, and of one that a failover lost", () => {
  const story = new Story().transfer("a", unknown).account([entry("a", 0, 0)]);
  expect(story.rules).toEqual(["half-done"]);
  const lost = new Story({ backend: "redis-replicas" }).transfer("a");
  lost.line("fault", { name: "failover", phase: "begin" }).line("fault", { name: "failover", phase: "end" });
  expect(lost.account([entry("a", 0, 0)]).rules).toEqual(["half-done"]);
});

test("a transfer that was applied twice", () => {
  const story = new Story().transfer("a").account([entry("a", 0, -5), entry("a", 0, -5)]);
  expect(story.account([entry("a", 1, 5), entry("a", 1, 5)]).rules).toEqual(["applied-twice"]);
});

test("an acknowledged transfer that is not there; a failover without durability explains it", () => {
  expect(new Story().transfer("a").account([]).rules).toEqual(["lost-update"]);
  const failover = (run: object): Story =>
    new Story({ backend: "redis-replicas", ...run })
      .transfer("a")
      .line("fault", { name: "failover", phase: "begin" })
      .line("fault", { name: "failover", phase: "end" })
      .account([]);
  expect(failover({}).rules).toEqual([]);
  expect(failover({ durability: { replicas: 1 } }).rules).toEqual(["lost-update"]);
});

test("a failed transfer that is there, and one that nobody asked for", () => {
  const ends = (story: Story): string[] =>
    story.account([entry("a", 0, -5)]).account([entry("a", 1, 5)]).rules;
  expect(ends(new Story().transfer("a", failed))).toEqual(["failed-present"]);
  expect(ends(new Story())).toEqual(["never-asked"]);
});

test("an account whose money is not what its entries say", () => {
  const story = new Story().transfer("a").account([entry("a", 0, -5)], -4);
  expect(story.account([entry("a", 1, 5)], 4).rules).toEqual(["balance"]);
});

test("an audit that saw half a transfer, too few of them, or more than had begun", () => {
  const ends = (story: Story): string[] =>
    story.account([entry("a", 0, -5)]).account([entry("a", 1, 5)]).rules;
  expect(ends(new Story().transfer("a").audit(1, { torn: "half-done: a" }))).toEqual(["torn-look"]);
  expect(ends(new Story().transfer("a").audit(0))).toEqual(["stale-look"]);
  expect(ends(new Story().audit(1).transfer("a"))).toEqual(["future-look"]);
});

test("a function of a transfer that was called twice although nothing but locks was at work", () => {
  const story = new Story()
    .transfer("a")
    .line("again", { life: "1.1", id: accountId(bank, 0), add: "a", calls: 2 });
  expect(story.account([entry("a", 0, 0)]).account([entry("a", 1, 0)]).rules).toEqual(["called-again"]);
});
