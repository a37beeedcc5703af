/**
 * The life that the one write of a batch gives [S7]: of several saves, each does to it what it would have done alone.
 */
import type { Life, StateWrite } from "../backends/contract.ts";

/** `before`: what the batch has written so far. A save on top of it that asks for this life is written with what this answers. */
export function lifeOnTop(before: StateWrite | undefined, life: Life): Life {
  if (before === undefined || life === "none" || typeof life === "number") return life;
  if (before.kind === "save") return before.ttlMs; // it is there by now: it keeps what that one set
  return life === "keep" ? "none" : life.whenNew; // deleted in between: it is new
}
