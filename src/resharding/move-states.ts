/** Moves every state to the shard that has its id: copied, read back, then deleted at its old place. */
import { randomBytes } from "node:crypto";
import { shardOf } from "../backends/shard-of.ts";
import { forEachOf } from "../calls/each-of.ts";
import { quoted, UnavailableError } from "../errors.ts";
import type { Part } from "./part.ts";
import { finish, look, markAll, markPlaces, type Sides } from "./places.ts";

/** Returns how many states were moved. */
export async function moveStates(from: readonly Part[], to: readonly Part[]): Promise<number> {
  const sides = { from, to };
  const left = await look(sides);
  if (left === "marks") await markPlaces(to);
  if (left !== "everything") return 0;
  const shared = await markAll(sides, randomBytes(8).toString("hex"));
  const moved = await movePass(sides, shared);
  const missed = await movePass(sides, shared); // shows that all are where they belong
  if (missed > 0)
    throw new UnavailableError(
      "States were written while they were moved: close the store in every process.",
    );
  await finish(sides, shared);
  return moved;
}

/** `shared`: the places that are in both, which keep what belongs to them. */
async function movePass({ from, to }: Sides, shared: ReadonlyMap<number, number>): Promise<number> {
  let moved = 0;
  for (const [index, source] of from.entries()) {
    for await (const page of source.states()) {
      const ids = page.map(({ id }) => id).filter((id) => shardOf(id, to.length) !== shared.get(index));
      await forEachOf(ids, async (id) => {
        const target = to[shardOf(id, to.length)];
        if (target !== undefined && (await move(id, source, target))) moved += 1;
      });
    }
  }
  return moved;
}

/** False: it has expired. */
async function move(id: string, source: Part, target: Part): Promise<boolean> {
  const state = await source.load(id);
  if (state === null) return false;
  await target.save(id, state);
  const copy = await target.load(id);
  const isEqual =
    copy !== null && copy.serializer === state.serializer && Buffer.compare(copy.bytes, state.bytes) === 0;
  // One that expires at this moment may be absent already.
  if (!isEqual && (copy !== null || (await source.load(id)) !== null))
    throw new UnavailableError(`${target.label} does not have the state ${quoted(id)} as it was saved.`);
  await source.delete(id, state);
  return true;
}
