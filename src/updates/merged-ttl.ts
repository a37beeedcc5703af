/** The expiry that the single write of a batch sets [S7]: the same as if each of its saves had been made alone. */
import type { Ttl, StateWrite } from "../backends/contract.ts";

/**
 * `before`: what the batch has to write so far. Returns the expiry for a save on top of that with the expiry `expiry`.
 */
export function expiryOnTop(before: StateWrite | undefined, expiry: Ttl): Ttl {
  if (before === undefined || expiry === "none" || typeof expiry === "number") return expiry;
  if (before.kind === "save") return before.ttlMs; // it exists by now: it keeps the expiry that the earlier save set
  return expiry === "keep" ? "none" : expiry.whenNew; // deleted in between: it is new
}
