/**
 * The hash that holds this client's receipts [S5], as scripts/lib/receipt.lua keeps it: what an operation is told of its own
 * receipt and of a proof, and the hash's expiry.
 *
 * The expiry is not renewed by every operation, which saves a command in most scripts: a hash that lives 5/4 of what was
 * asked for and is renewed in every quarter of it always has at least what was asked for left.
 */
import { now } from "../../../timers.ts";
import type { Receipt } from "../../contract.ts";
import { Proofs, type Attempt } from "../../proofs.ts";

/** What one script is told about the expiry. */
export interface ReceiptExpiry {
  /** keep refresh */
  readonly args: readonly [keep: string, refresh: string];
  readonly sentAt: number;
}

/** The arguments of one operation: its receipt, and on a retry the proof that goes with it. */
export type ReceiptFields = readonly [sequence: string, n: string, proof: string];

export class ReceiptHash {
  readonly #proofs = new Proofs();
  #renewedAt = -Infinity;
  #keepMs = 0;

  /** The arguments of an operation with this receipt, which is about to be sent. */
  fieldsFor(receipt: Receipt): ReceiptFields {
    if (receipt.keepMs > this.#keepMs) {
      this.#keepMs = receipt.keepMs;
      this.#renewedAt = -Infinity;
    }
    return [String(receipt.sequence), String(receipt.n), proofText(this.#proofs.attempt(receipt))];
  }

  /** For a script that is sent now; `at` is of the monotonic clock. */
  expiry(at: number = now()): ReceiptExpiry {
    const due = at - this.#renewedAt >= this.#keepMs / 4;
    return { args: [String(Math.ceil(this.#keepMs * 1.25)), due ? "1" : "0"], sentAt: at };
  }

  /** That script's reply says that the receipt is recorded. If the script recorded it, it renewed the expiry where told to. */
  noteRecorded(receipt: Receipt, { args, sentAt }: ReceiptExpiry): void {
    const isNew = this.#proofs.recorded(receipt);
    if (isNew && args[1] === "1") this.#renewedAt = Math.max(this.#renewedAt, sentAt);
  }
}

/** Empty on the first try; on a retry a receipt that must be there, or `-` where none is known. */
function proofText({ retry, proof }: Attempt): string {
  if (proof !== undefined) return `${String(proof.sequence)} ${String(proof.n)}`;
  return retry ? "-" : "";
}
