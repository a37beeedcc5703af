/**
 * Which expiry a write sets [S7]: the single write of a batch the same as if each of its saves had been made alone.
 */
import type { Ttl, StateWrite } from "../backends/contract.ts";
import { isNewTtl } from "../life-options.ts";
import type { WhenNew } from "../options.ts";

/**
 * `before`: what the batch has to write so far. Returns the expiry for a save on top of that with the expiry `expiry`.
 */
export function expiryOnTop(before: StateWrite | undefined, expiry: Ttl): Ttl {
  if (before === undefined || isNewTtl(expiry)) return expiry;
  if (before.kind !== "delete") return before.ttlMs; // it exists by now: it keeps the expiry that the earlier one set
  return expiry === "keep" ? "none" : expiry.whenNew; // deleted in between: it is new
}

/** Whether the state may be gone once this is written: then nothing may be assumed of what is stored. */
export function mayEndAtOnce(write: StateWrite | undefined): boolean {
  if (write === undefined || write.kind === "delete") return false;
  return typeof write.ttlMs === "object" && "until" in write.ttlMs;
}

/** What a call asks for, given the handle's. [S7] A new state has no expiry to keep: "keep" then means the handle's. */
export function expiryOf(own: Ttl | undefined, usual: number | WhenNew | undefined): Ttl {
  if (own !== undefined && own !== "keep") return own;
  return own === "keep" && typeof usual === "number" ? { whenNew: usual } : (usual ?? "keep");
}
