/** How well callers with different weights use the permits of one semaphore. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Peer } from "../peers/peer.ts";
import { HoldfastSemaphores, permits } from "../peers/semaphores.ts";

export interface UseArgs {
  readonly id: string;
  readonly callers: number;
  /** By process.hrtime, which all processes of a machine share. */
  readonly startAt: bigint;
  readonly ms: number;
}

export interface Use {
  /** Weight times milliseconds held, within the window. */
  readonly held: number;
  readonly grants: readonly number[];
}

/** Weights from 1 up, by caller. */
export function weightOf(caller: number): number {
  return (caller % permits) + 1;
}

/** How long permits are held, in milliseconds. */
export function heldMs(): number {
  return 5 + 10 * Math.random();
}

/** Each caller takes permits, holds them for a while, and takes them again. */
export async function usePermits(peer: Peer, { id, callers, startAt, ms }: UseArgs): Promise<Use> {
  if (!(peer instanceof HoldfastSemaphores))
    throw new Error("only Holdfast is asked for permits with weights");
  const semaphore = peer.store.semaphore(id, { permits });
  const begin = Number(startAt) / 1e6;
  const now = (): number => Number(process.hrtime.bigint()) / 1e6;
  let held = 0;
  const grants = Array.from({ length: callers }, () => 0);
  const call = async (_: unknown, caller: number): Promise<void> => {
    while (now() < begin + ms) {
      const weight = weightOf(caller);
      const grant = await semaphore.acquire({ weight });
      const from = Math.max(now(), begin);
      await sleep(heldMs());
      const to = Math.min(now(), begin + ms);
      await grant.release();
      if (to <= from) continue;
      held += weight * (to - from);
      grants[caller] = (grants[caller] ?? 0) + 1;
    }
  };
  await Promise.all(grants.map(call));
  return { held, grants };
}

/** The use if the same permits were handed on in no time, in the order of a queue: what first come, first served allows. */
export function useInOrder(callers: number, grants = 100_000): number {
  const held: { weight: number; until: number }[] = [];
  let [time, used, area] = [0, 0, 0];
  for (let n = 0; n < grants; n += 1) {
    const weight = weightOf(n % callers);
    while (used + weight > permits) {
      held.sort((a, b) => b.until - a.until);
      const first = held.pop();
      if (first === undefined) break;
      area += used * (first.until - time);
      time = first.until;
      used -= first.weight;
    }
    used += weight;
    held.push({ weight, until: time + heldMs() });
  }
  return area / (permits * time);
}
