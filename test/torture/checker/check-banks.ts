// What must be true of the accounts of a bank, between which many moved money, several accounts in one commit [S9]: together they
// have what they had, and each transfer is in all of its accounts or in none.

import { bankOf, byTransfer, flawsOf, type Account } from "../bank/account.ts";
import { groupBy, name, type Inquiry } from "./checker.ts";
import type { Call } from "./history.ts";

interface Bank {
  readonly id: string;
  /** The transfers that are there in the end. */
  readonly present: ReadonlyMap<string, unknown>;
  readonly calls: readonly Call[];
}

export function checkBanks(inquiry: Inquiry): void {
  const { history, figures } = inquiry;
  const banks = groupBy([...history.accounts], ([id]) => bankOf(id));
  const calls = groupBy(
    history.calls.filter(({ id }) => id.startsWith("bank:")),
    ({ id }) => id,
  );
  for (const id of new Set([...banks.keys(), ...calls.keys()])) {
    const accounts = (banks.get(id) ?? []).map(([, account]) => account);
    checkEnd(inquiry, id, accounts);
    const bank = { id, present: byTransfer(accounts), calls: calls.get(id) ?? [] };
    checkTransfers(inquiry, bank);
    checkAudits(inquiry, bank);
  }
  if (calls.size > 0) figures["accounts at the end"] = history.accounts.size;
}

/** No fault explains these: a commit is one step of the server, and of its replicas. */
function checkEnd({ violate }: Inquiry, id: string, accounts: readonly Account[]): void {
  for (const { rule, text } of flawsOf(accounts)) violate(rule, `${id}: ${text}`);
}

/** What was acknowledged is there; what failed, or was never asked for, is not. */
function checkTransfers({ violate, mayBeLost, figures }: Inquiry, bank: Bank): void {
  const { present } = bank;
  const asked = new Set<string>();
  for (const call of bank.calls) {
    if (call.add === undefined) continue;
    asked.add(call.add);
    const isPresent = present.has(call.add);
    if (call.outcome === "failed" && isPresent)
      violate("failed-present", `${bank.id}: ${name(call)} failed with ${call.code ?? "?"}, and is there`);
    if (call.outcome !== "ok" || isPresent) continue;
    const lost = "transfers acknowledged and lost by a failover";
    if (mayBeLost(call)) figures[lost] = (figures[lost] ?? 0) + 1;
    else violate("lost-update", `${bank.id}: ${name(call)} was acknowledged, and is not there`);
  }
  for (const transfer of present.keys())
    if (!asked.has(transfer))
      violate("never-asked", `${bank.id}: ${transfer} is there, and nobody asked for it`);
}

/** A look at all accounts under their locks: nothing is half done, and all is there that had been acknowledged. */
function checkAudits({ violate, nearFailover }: Inquiry, { calls, present }: Bank): void {
  const transfers = calls.filter(({ add }) => add !== undefined);
  for (const audit of calls) {
    // What changes nothing is not sent: its accounts may have come from two servers.
    if (audit.op !== "audit" || audit.outcome !== "ok" || nearFailover(audit)) continue;
    const seen = audit.length ?? 0;
    if (audit.torn !== undefined) violate("torn-look", `${audit.id}: ${name(audit)} saw that ${audit.torn}`);
    const had = transfers.filter(({ outcome, end }) => outcome === "ok" && end < audit.begin);
    const least = had.filter(({ add }) => present.has(add ?? "")).length; // the others are told of above
    if (seen < least)
      violate(
        "stale-look",
        `${audit.id}: ${name(audit)} saw ${seen} transfers; ${least} had been acknowledged`,
      );
    const most = transfers.filter(({ begin }) => begin < audit.end).length;
    if (seen > most)
      violate("future-look", `${audit.id}: ${name(audit)} saw ${seen} transfers; ${most} had begun`);
  }
}
