/** One lock, and 1 ms of work inside. When each caller was inside is written down, so that overlaps are seen. */
import type { Peer } from "../peers/peer.ts";
import { loop, type Drained, type LoopArgs, type Tell } from "./loop.ts";

interface WorkArgs extends LoopArgs {
  readonly name: string;
  readonly workMs: number;
}

export interface Worked extends Drained {
  /** Entered and left, by turns, in µs since `startAt`. */
  readonly inside: Float64Array;
}

export async function work(peer: Peer, args: WorkArgs, tell: Tell): Promise<Worked> {
  const inside: number[] = [];
  const drained = await loop(
    args,
    async () => {
      const held = await peer.acquire(args.name);
      const entered = performance.now();
      inside.push(microseconds(args.startAt));
      spin(args.workMs);
      inside.push(microseconds(args.startAt));
      await peer.release(held);
      return entered;
    },
    tell,
  );
  return { ...drained, inside: Float64Array.from(inside) };
}

/** Work, not sleep: a timer of 1 ms takes up to 2, and the rest would count as useful. */
function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

function microseconds(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / 1e3;
}
