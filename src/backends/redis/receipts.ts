/**
 * Arguments for receipts [S5], as lua/lib/receipt.lua takes them: slot n keep refresh proofSlot proofN.
 *
 * The receipts of a client live in one hash that expires. Its life is renewed by an operation now and then instead of
 * by every one, which spares a command in most scripts: a hash that lives 5/4 of what was asked for and is renewed in
 * every quarter of it has always at least what was asked for left.
 */
import type { Receipt } from "../backend.ts";

export class ReceiptArguments {
  #renewedAt = -Infinity;
  #keepMs = 0;

  /** Time comes from the monotonic clock. */
  for(receipt: Receipt, now: number = performance.now()): readonly string[] {
    const { slot, n, retry, proof } = receipt;
    if (receipt.keepMs > this.#keepMs) {
      this.#keepMs = receipt.keepMs;
      this.#renewedAt = -Infinity;
    }
    const due = now - this.#renewedAt >= this.#keepMs / 4;
    const proven =
      proof === undefined ? [retry === true ? "-" : "", ""] : [String(proof.slot), String(proof.n)];
    const keepMs = String(Math.ceil(this.#keepMs * 1.25));
    return [String(slot), String(n), keepMs, due ? "1" : "0", ...(proven as [string, string])];
  }

  /** An operation that was sent at `sentAt` was recorded: if it was to renew the hash, it did. */
  recorded(args: readonly string[], sentAt: number): void {
    if (args[3] === "1") this.#renewedAt = Math.max(this.#renewedAt, sentAt);
  }
}
