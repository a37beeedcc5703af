/** Which of many ids one call of the backend is about: some at a time, all of one shard. */
import { maxStatesPerCall } from "../../backends/contract-commit.ts";
import type { Backend } from "../../backends/contract.ts";

/** A step must be short, so a call with several values has no more than this, in bytes. */
const maxBytesPerCall = 512 * 1024;

interface Chunk {
  readonly places: number[];
  bytes: number;
}

/** The places of the ids, by call. `bytesAt`: the size of the value at a place. */
export function chunksOf(
  ids: readonly string[],
  { shardOf }: Pick<Backend, "shardOf">,
  bytesAt: (place: number) => number = () => 0,
): (readonly number[])[] {
  const chunks: number[][] = [];
  const open = new Map<number, Chunk>();
  for (const [place, id] of ids.entries()) {
    const [shard, bytes] = [shardOf?.(id) ?? 0, bytesAt(place)];
    let chunk = open.get(shard);
    const isFull = chunk?.places.length === maxStatesPerCall || (chunk?.bytes ?? 0) + bytes > maxBytesPerCall;
    if (chunk === undefined || isFull) {
      open.set(shard, (chunk = { places: [], bytes: 0 }));
      chunks.push(chunk.places);
    }
    chunk.places.push(place);
    chunk.bytes += bytes;
  }
  return chunks;
}

/** What a call is about, for messages: it names one of the ids. */
export function subjectOf(
  verb: string,
  ids: readonly string[],
): { readonly doing: string; readonly id: string } {
  const [id = ""] = ids;
  const doing = ids.length === 1 ? `${verb} the state` : `${verb} ${String(ids.length)} states, among them`;
  return { doing, id };
}
