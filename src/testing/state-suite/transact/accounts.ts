/** Accounts that money is moved between: their sum shows a change that was made in part, or twice. */
import { strict as assert } from "node:assert";
import type { State } from "../../../handles/state/state.ts";
import type { Store } from "../../../store/store.ts";
import type { Fixture } from "../../fixture.ts";

export interface Account {
  cents: number;
}

/** New ids with the same tag, so of the same shard. */
export function accountIds(fixture: Fixture, count: number): string[] {
  const tag = fixture.id();
  return Array.from({ length: count }, (_, index) => `{${tag}}:${String.fromCharCode(97 + index)}`);
}

/** Two of them, with 100 each at the beginning. */
export function twoAccounts(
  store: Store,
  ids: readonly string[],
): [State<Account, Account>, State<Account, Account>] {
  const [a = "", b = ""] = ids;
  const initial = (): Account => ({ cents: 100 });
  return [store.state(a, { initial }), store.state(b, { initial })];
}

export const move =
  (cents: number) =>
  ([from, to]: [Account, Account]): void => {
    from.cents -= cents;
    to.cents += cents;
  };

export async function assertCents(
  states: readonly State<Account, Account>[],
  expected: readonly number[],
): Promise<void> {
  const cents = await Promise.all(states.map(async (state) => (await state.load()).cents));
  assert.deepEqual(cents, expected);
}

/** Waits until none of the locks is held or waited for. */
export async function allFree(fixture: Fixture, ids: readonly string[]): Promise<void> {
  for (const id of ids) await fixture.becomesFree(id);
}
