/**
 * Which expiry a write sets [S7]: the single write of a batch the same as if each of its saves had been made alone.
 */
import type { Ttl, StateWrite } from "../backends/contract.ts";
import type { WhenNew } from "../options.ts";

/**
 * `before`: what the batch has to write so far. Returns the expiry for a save on top of that with the expiry `expiry`.
 */
export function expiryOnTop(before: StateWrite | undefined, expiry: Ttl): Ttl {
  if (before === undefined || expiry === "none" || typeof expiry === "number") return expiry;
  if (before.kind === "save") return before.ttlMs; // it exists by now: it keeps the expiry that the earlier save set
  return expiry === "keep" ? "none" : expiry.whenNew; // deleted in between: it is new
}

/** What a call asks for, given the handle's. [S7] A new state has no expiry to keep: "keep" then means the handle's. */
export function expiryOf(own: Ttl | undefined, usual: number | WhenNew | undefined): Ttl {
  if (own !== undefined && own !== "keep") return own;
  return own === "keep" && typeof usual === "number" ? { whenNew: usual } : (usual ?? "keep");
}
