/** The expiry that the one write of a batch sets [S7]: each of several saves does to it what it would have done alone. */
import type { Ttl, StateWrite } from "../backends/contract.ts";

/** `before`: what the batch has written so far. A save on top of it that asks for `expiry` is written with the result. */
export function expiryOnTop(before: StateWrite | undefined, expiry: Ttl): Ttl {
  if (before === undefined || expiry === "none" || typeof expiry === "number") return expiry;
  if (before.kind === "save") return before.ttlMs; // it exists by now: it keeps what that one set
  return expiry === "keep" ? "none" : expiry.whenNew; // deleted in between: it is new
}
