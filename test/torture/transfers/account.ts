// The accounts between which very many transfers are made. They keep no history: only how much they have, and how often that
// changed.

import type { State, Store } from "../../../src/index.ts";

export interface Account {
  cents: number;
  changes: number;
}

export const accounts = 100;
export const centsAtFirst = 1_000;

/** All on one shard. */
export const accountOf = (store: Store, number: number): State<Account, Account> =>
  store.state(`{bank}:${number}`, { initial: () => ({ cents: centsAtFirst, changes: 0 }) });
