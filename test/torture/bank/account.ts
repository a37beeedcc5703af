// Accounts that money is moved between, and what must be true of all accounts of a bank together, at any time.

/** What a transfer did to one account. */
export interface Entry {
  readonly transfer: string;
  /** The account that it was made for. One that is closed hands its entries to another. */
  readonly account: number;
  readonly cents: number;
  /** How many accounts the transfer changed. */
  readonly of: number;
}

/** What the states `{bank:…}:<number>` hold. */
export interface Account {
  cents: number;
  entries: Entry[];
}

export const newAccount = (): Account => ({ cents: 0, entries: [] });

/** Accounts of one bank have a common tag, so that they are on one shard. */
export const accountId = (bank: string, account: number): string => `{${bank}}:${account}`;

/** The bank of an account. */
export const bankOf = (id: string): string => id.slice(1, id.indexOf("}"));

export interface Flaw {
  readonly rule: "sum" | "balance" | "half-done" | "applied-twice";
  readonly text: string;
}

/** What is wrong with the accounts of a bank as they are stored together. */
export function flawsOf(accounts: readonly Account[]): Flaw[] {
  const flaws: Flaw[] = [];
  const sum = total(accounts.map(({ cents }) => cents));
  if (sum !== 0) flaws.push({ rule: "sum", text: `the accounts have ${sum} cents together, not 0` });
  for (const [place, { cents, entries }] of accounts.entries()) {
    const moved = total(entries.map((entry) => entry.cents));
    if (moved !== cents)
      flaws.push({
        rule: "balance",
        text: `account ${place} has ${cents} cents; its entries add up to ${moved}`,
      });
  }
  for (const [transfer, entries] of byTransfer(accounts)) flaws.push(...flawsOfTransfer(transfer, entries));
  return flaws;
}

/** The entries of each transfer, in all accounts. */
export function byTransfer(accounts: readonly Account[]): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const entry of accounts.flatMap(({ entries }) => entries)) {
    const some = found.get(entry.transfer);
    if (some === undefined) found.set(entry.transfer, [entry]);
    else some.push(entry);
  }
  return found;
}

function flawsOfTransfer(transfer: string, entries: readonly Entry[]): Flaw[] {
  const accounts = new Set(entries.map(({ account }) => account));
  if (accounts.size < entries.length)
    return [{ rule: "applied-twice", text: `${transfer} is in an account twice` }];
  const of = entries[0]?.of ?? 0;
  if (entries.length === of) return [];
  return [
    { rule: "half-done", text: `${transfer} changed ${of} accounts, and is in ${entries.length} of them` },
  ];
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);
