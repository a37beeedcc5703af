/** One lock, most of whose callers read. When each was inside is written down, so that turns and overlaps are seen. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Peer } from "../peers/peer.ts";
import type { SharingPeer } from "../peers/sharing.ts";
import { loop, type Drained, type LoopArgs, type Tell } from "./loop.ts";

interface ReadWriteArgs extends LoopArgs {
  readonly name: string;
  /** How long each stays inside, waiting for something else; 0: not at all. */
  readonly insideMs: number;
}

export interface Visits extends Drained {
  /** Four numbers for each: called, entered and left, in µs since `startAt`; 1 if it is a writer. */
  readonly visits: Float64Array;
}

/** Every tenth call writes. */
const isWriter = (caller: number, n: number): boolean => (caller * 7 + n) % 10 === 0;

export async function readWrite(contender: Peer, args: ReadWriteArgs, tell: Tell): Promise<Visits> {
  const peer = contender as SharingPeer;
  const visits: number[] = [];
  const since = (): number => Number(process.hrtime.bigint() - args.startAt) / 1e3;
  const drained = await loop(
    args,
    async (caller, n) => {
      const writes = isWriter(caller, n);
      const called = since();
      const held = await (writes ? peer.acquire(args.name) : peer.acquireShared(args.name));
      const [entered, enteredAt] = [performance.now(), since()];
      if (args.insideMs > 0) await sleep(args.insideMs);
      visits.push(called, enteredAt, since(), writes ? 1 : 0);
      await peer.release(held);
      return entered;
    },
    tell,
  );
  return { ...drained, visits: Float64Array.from(visits) };
}
