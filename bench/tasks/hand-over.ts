/** What holder and waiter do in the hand-over case. They are two processes; their clock is the machine's. */
import type { Bare, Peer } from "../peers/peer.ts";

interface Which {
  readonly id: string;
}

const held = new Map<string, unknown>();

/** Answers when the lock was held, by process.hrtime, in nanoseconds. */
export async function hold(peer: Peer, { id }: Which): Promise<bigint> {
  const grant = await peer.acquire(id);
  const at = process.hrtime.bigint();
  held.set(id, grant);
  return at;
}

/** Answers when the release began. */
export async function letGo(peer: Peer, { id }: Which): Promise<bigint> {
  const grant = held.get(id);
  held.delete(id);
  const at = process.hrtime.bigint();
  await peer.release(grant);
  return at;
}

/** One round trip of a bare client, in ms. */
export async function roundTrip(peer: Peer): Promise<number> {
  const begun = performance.now();
  await (peer as Peer & Bare).ping();
  return performance.now() - begun;
}

/** One after the other. */
export async function roundTrips(peer: Peer, { count }: { readonly count: number }): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push(await roundTrip(peer));
  return all;
}
