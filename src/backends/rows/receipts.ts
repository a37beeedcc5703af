/**
 * Receipts: what was carried out once is answered again, and is not carried out again [S5].
 */
import type { Forgotten, Receipt } from "../contract.ts";
import { recordedStatuses } from "../messages.ts";
import type { PendingChanges } from "./pending-changes.ts";
import type { Once } from "./requests.ts";
import type { Recorded } from "./row-types.ts";

const forgotten: Forgotten = { status: "forgotten" };

interface Step<Reply> {
  /** Decides what is to be done, if it was not done before. */
  readonly decide: () => Reply;
  /** Which recorded replies are given again; all unless given. */
  readonly repeats?: (recorded: Recorded) => boolean;
}

/** Decides on what was not done before, and otherwise gives its first reply again. */
export function once<Reply extends Recorded>(
  pending: PendingChanges,
  { receipt, attempt }: Once,
  step: Step<Reply>,
): Reply | Forgotten {
  const { sequence, n } = receipt;
  const { retry, proof } = attempt;
  const last = pending.rows.receipt(sequence);
  // One client, one sequence, one number: the recorded reply is of this very operation, hence of its kind.
  if (last?.n === n && step.repeats?.(last.reply) !== false) return last.reply as Reply;
  if (last !== undefined && last.n > n) return forgotten;
  if (proof !== undefined) {
    const proven = pending.rows.receipt(proof.sequence);
    if (proven === undefined || proven.n < proof.n) return forgotten;
  }
  const reply = step.decide();
  // What a retry was refused must not be carried out by its first copy, arriving late.
  if (isEffect(reply) || retry) pending.record(receipt, reply);
  return reply;
}

/** Whether the ticket of this receipt was released or cancelled. A refusal that was recorded for a retry ended nothing. */
export function isSettled(pending: PendingChanges, { sequence, n }: Receipt): boolean {
  const last = pending.rows.receipt(sequence);
  return last !== undefined && (last.n > n || (last.n === n && isEffect(last.reply)));
}

export function isEffect(reply: { readonly status: string }): boolean {
  return recordedStatuses.has(reply.status);
}
