/**
 * Receipts: an operation that was carried out gets the same reply again, and is not carried out again [S5].
 */
import type { Forgotten, Receipt } from "../contract.ts";
import { recordedStatuses } from "../contract-types.ts";
import type { PendingChanges } from "./pending-changes.ts";
import type { Once } from "./request-types.ts";
import type { Recorded } from "./row-types.ts";

const forgotten: Forgotten = { status: "forgotten" };

interface Step<Reply> {
  /** Makes the decision, if the operation was not done before. */
  readonly decide: () => Reply;
  /** Which recorded replies are given again. Default: all. */
  readonly repeats?: (recorded: Recorded) => boolean;
}

/** Decides on a new operation, and otherwise gives the first reply again. */
export function once<Reply extends Recorded>(
  pending: PendingChanges,
  { receipt, attempt }: Once,
  step: Step<Reply>,
): Reply | Forgotten {
  const { sequence, n } = receipt;
  const { retry, proof } = attempt;
  const last = pending.rows.receipt(sequence);
  // One client, one sequence, one number: the recorded reply belongs to this operation, and so has its type.
  if (last?.n === n && step.repeats?.(last.reply) !== false) return last.reply as Reply;
  if (last !== undefined && last.n > n) return forgotten;
  if (proof !== undefined) {
    const proven = pending.rows.receipt(proof.sequence);
    if (proven === undefined || proven.n < proof.n) return forgotten;
  }
  const reply = step.decide();
  // A retry that was refused must not be carried out by its first copy, arriving late.
  if (isEffect(reply) || retry) pending.record(receipt, reply);
  return reply;
}

/** Whether the ticket of this receipt was released or cancelled. A refusal recorded for a retry has ended nothing. */
export function isSettled(pending: PendingChanges, { sequence, n }: Receipt): boolean {
  const last = pending.rows.receipt(sequence);
  return last !== undefined && (last.n > n || (last.n === n && isEffect(last.reply)));
}

export function isEffect(reply: { readonly status: string }): boolean {
  return recordedStatuses.has(reply.status);
}
