// The ids that a sequence of calls is about, and what its tickets ask for.

import type { Share } from "../../src/backends/contract.ts";
import type { Op } from "./oracle-ops.ts";

/** Of three shards, the first two are on different ones, and the last one is with the first. */
export const ids = ["x", "y2", "{x}z"];
export const semaphore = "\u0001semaphore:x";

/** What a fresh ticket asks for. */
export function wishOf({ share, id }: Extract<Op, { op: "ask" }>): { id: string; share: Share | undefined } {
  if (share === "exclusive") return { id: ids[id]!, share: undefined };
  if (share === "shared") return { id: ids[id]!, share: { kind: "shared" } };
  return { id: semaphore, share: { kind: "permits", ...share } };
}
