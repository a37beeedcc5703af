/**
 * The hash that holds this client's receipts [S5], as scripts/lib/receipt.lua keeps it, and how long it is to live.
 *
 * It expires. Its expiry is renewed by an operation now and then instead of by every one, which spares a command in most
 * scripts: a hash that lives 5/4 of what was asked for and is renewed in every quarter of it has always at least what
 * was asked for left.
 */
import { now } from "../../timers.ts";
import type { Receipt } from "../contract.ts";

/** What one script is told of the hash. */
export interface ReceiptExpiry {
  /** keep refresh */
  readonly args: readonly [keep: string, refresh: string];
  readonly sentAt: number;
}

/** The arguments of one operation: its receipt, and on a retry the proof that goes with it. */
export type ReceiptFields = readonly [slot: string, n: string, proof: string];

export class ReceiptHash {
  #renewedAt = -Infinity;
  #keepMs = 0;

  /** An operation with this receipt is going to be sent. Answers its own arguments. */
  for(receipt: Receipt): ReceiptFields {
    if (receipt.keepMs > this.#keepMs) {
      this.#keepMs = receipt.keepMs;
      this.#renewedAt = -Infinity;
    }
    return [String(receipt.slot), String(receipt.n), proofOf(receipt)];
  }

  /** For a script that is sent now, by the monotonic clock. */
  expiry(at: number = now()): ReceiptExpiry {
    const due = at - this.#renewedAt >= this.#keepMs / 4;
    return { args: [String(Math.ceil(this.#keepMs * 1.25)), due ? "1" : "0"], sentAt: at };
  }

  /** That script recorded something: if it was to renew the hash, it did. */
  recorded({ args, sentAt }: ReceiptExpiry): void {
    if (args[1] === "1") this.#renewedAt = Math.max(this.#renewedAt, sentAt);
  }
}

/** Empty on the first try; on a retry a receipt that must be there, or `-` where none is known. */
function proofOf({ retry, proof }: Receipt): string {
  if (proof !== undefined) return `${String(proof.slot)} ${String(proof.n)}`;
  return retry === true ? "-" : "";
}
