/**
 * Makes the fences and revisions of the new store greater than all of the old one [L3] [S2]: each shard of the old one gives a
 * stamp, and those of the new one must be above. A stamp is given to a state, so one is written for a moment, under an id
 * that no user can have.
 */
import { UnavailableError } from "../../errors.ts";
import { internalId } from "../../names.ts";
import type { Part } from "../../resharding/part.ts";
import type { Output } from "../output.ts";

export interface Sides {
  readonly from: Part;
  readonly to: Part;
  /** The number of shards of each. */
  readonly shards: { readonly from: number; readonly to: number };
}

/** It is deleted at once; should that fail, it expires. */
const ttlMs = 10_000;

export async function raiseStamps({ from, to, shards }: Sides, output: Output): Promise<void> {
  let above = 0;
  try {
    above = await highestStamp(from, shards.from, 0);
  } catch (error) {
    if (!isReadOnly(error)) throw error;
    output.note(
      `${from.label} cannot be written to, so its last fence is unknown. New revisions are greater than those of the states ` +
        `that are copied; new fences are greater than old ones unless the clock of the new store is behind.`,
    );
  }
  await highestStamp(to, shards.to, above);
}

/** Of all shards, whose later stamps are greater than `above`. */
async function highestStamp(part: Part, shards: number, above: number): Promise<number> {
  let highest = 0;
  for (let shard = 0; shard < shards; shard += 1) {
    const id = idOnShard(part, shard);
    const bytes = new TextEncoder().encode("0");
    const reply = await part.write(id, { kind: "save", bytes, serializer: "json", ttlMs, above });
    if (reply.status !== "saved")
      throw new UnavailableError(`${part.label} gives no stamp (${reply.status}).`);
    await part.write(id, { kind: "delete" });
    highest = Math.max(highest, reply.revision);
  }
  return highest;
}

function idOnShard(part: Part, shard: number): string {
  for (let n = 0; ; n += 1) {
    const id = internalId("stamp", String(n));
    if (part.shardOf(id) === shard) return id;
  }
}

function isReadOnly(error: unknown): boolean {
  return error instanceof UnavailableError && (error.code === "READ_ONLY" || error.code === "ACCESS_DENIED");
}
