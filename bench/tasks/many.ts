/** What one worker does with very many locks or waiters. */
import { setTimeout as sleep } from "node:timers/promises";
import { storeOf } from "../peers/holdfast.ts";
import type { Peer } from "../peers/peer.ts";

/** Locks each id from `from` to `to` once. */
export async function lockOnce(
  peer: Peer,
  args: { readonly from: number; readonly to: number; readonly inFlight: number },
): Promise<number> {
  let next = args.from;
  const call = async (): Promise<void> => {
    while (next < args.to) await peer.release(await peer.acquire(`once:${next++}`));
  };
  await Promise.all(Array.from({ length: args.inFlight }, call));
  return next - args.from;
}

export interface Pile {
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly errors: number;
}

/** Has callers wait for a lock that another process holds, and answers what that costs here. They wait for ever. */
export async function pile(
  peer: Peer,
  args: { readonly id: string; readonly callers: number; readonly settleMs: number },
): Promise<Pile> {
  await sleep(100);
  const before = await memory();
  let errors = 0;
  for (let i = 0; i < args.callers; i++) {
    peer.acquire(args.id).then(
      () => undefined,
      () => (errors += 1),
    );
  }
  await sleep(args.settleMs);
  const after = await memory();
  return {
    heapBytes: (after.heapUsed + after.external - before.heapUsed - before.external) / args.callers,
    residentBytes: (after.rss - before.rss) / args.callers,
    errors,
  };
}

async function memory(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(10);
  }
  return process.memoryUsage();
}

export interface Held {
  readonly cpuUs: number;
  readonly elapsedMs: number;
  /** Grants whose signal aborted, and grants that were gone when they were released. */
  readonly lost: number;
}

const grants: { id: string; signal: AbortSignal; release(): Promise<boolean> }[] = [];

/** Takes many grants, and keeps them. */
export async function takeMany(
  peer: Peer,
  args: { readonly name: string; readonly count: number; readonly leaseMs: number },
): Promise<number> {
  const store = storeOf(peer);
  for (let i = 0; i < args.count; i += 250) {
    const some = Array.from({ length: Math.min(250, args.count - i) }, (_, j) =>
      store.lock(`${args.name}:${i + j}`, { leaseMs: args.leaseMs }).acquire(),
    );
    grants.push(...(await Promise.all(some)));
  }
  return grants.length;
}

/** Does nothing for a while, and answers what the renewals have cost. */
export async function keepMany(_: Peer, { ms }: { readonly ms: number }): Promise<Held> {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await sleep(ms);
  const { user, system } = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - begun;
  return { cpuUs: user + system, elapsedMs, lost: grants.filter((grant) => grant.signal.aborted).length };
}

/** Releases them; answers how many were gone. */
export async function dropMany(_: Peer): Promise<number> {
  const mine = await Promise.all(grants.map((grant) => grant.release()));
  grants.length = 0;
  return mine.filter((held) => !held).length;
}

/** Saves many small states. */
export async function saveMany(
  peer: Peer,
  args: { readonly name: string; readonly count: number },
): Promise<void> {
  for (let i = 0; i < args.count; i += 500) {
    const length = Math.min(500, args.count - i);
    await Promise.all(
      Array.from({ length }, (_, j) => peer.save(`${args.name}:${i + j}`, { n: i + j, items: [] })),
    );
  }
}

export interface Listed {
  readonly entries: number;
  readonly ms: number;
  readonly cpuUs: number;
}

/** Lists all states of a prefix. */
export async function listMany(peer: Peer, { name }: { readonly name: string }): Promise<Listed> {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  let entries = 0;
  for await (const info of storeOf(peer).states({ idPrefix: name })) entries += info.revision > 0 ? 1 : 0;
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  return { entries, ms, cpuUs: user + system };
}
