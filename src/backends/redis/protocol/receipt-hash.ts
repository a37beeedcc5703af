/**
 * The hash with this client's receipts [S5], see scripts/lib/receipt.lua: the arguments for an operation's receipt and
 * proof, and the expiry of the hash.
 *
 * Not every operation renews the expiry, which saves a command in most scripts. The hash lives for 5/4 of the requested
 * time, and is renewed in every quarter of that time, so it always has at least the requested time left.
 */
import { now } from "../../../timers.ts";
import type { Receipt } from "../../contract.ts";
import { Proofs, type Attempt } from "../../retry-proofs.ts";

/** The arguments of one script for the expiry. */
export interface ReceiptExpiry {
  /** keep refresh */
  readonly args: readonly [keep: string, refresh: string];
  readonly sentAt: number;
}

/** The arguments of one operation: its receipt, and on a retry its proof. */
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

  /** For a script that is sent now; `at` is a time of the monotonic clock. */
  expiry(at: number = now()): ReceiptExpiry {
    const due = at - this.#renewedAt >= this.#keepMs / 4;
    return { args: [String(Math.ceil(this.#keepMs * 1.25)), due ? "1" : "0"], sentAt: at };
  }

  /**
   * Its reply says that the receipt is recorded. If the script recorded it, it renewed the expiry as its arguments
   * asked.
   */
  noteRecorded(receipt: Receipt, { args, sentAt }: ReceiptExpiry): void {
    const isNew = this.#proofs.recorded(receipt);
    if (isNew && args[1] === "1") this.#renewedAt = Math.max(this.#renewedAt, sentAt);
  }
}

/** Empty on the first attempt. On a retry, a receipt that must be there, or `-` if none is known. */
function proofText({ retry, proof }: Attempt): string {
  if (proof !== undefined) return `${String(proof.sequence)} ${String(proof.n)}`;
  return retry ? "-" : "";
}
