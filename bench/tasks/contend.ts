/** What workers do in the cases that count operations per second: lock, update, wait for each other, load. */
import { HoldfastPeer } from "../peers/holdfast.ts";
import type { Bare, Peer } from "../peers/peer.ts";
import { loop, type Drained, type LoopArgs, type Tell } from "./loop.ts";

interface Ids extends LoopArgs {
  /** The ids of this round begin with it. */
  readonly name: string;
}

/** Lock and unlock, each time another id. */
export function lockDistinct(peer: Peer, args: Ids, tell: Tell): Promise<Drained> {
  return loop(
    args,
    async (caller, n) => {
      await peer.release(await peer.acquire(`${args.name}:${caller}:${n}`));
      return 0;
    },
    tell,
  );
}

/** Lock and unlock of one id, by all callers. The wait is until the lock is held. */
export function lockShared(peer: Peer, args: Ids, tell: Tell): Promise<Drained> {
  return loop(
    args,
    async () => {
      const held = await peer.acquire(args.name);
      const entered = performance.now();
      await peer.release(held);
      return entered;
    },
    tell,
  );
}

/** Each caller updates a state of its own, over and over. */
export function updateOwn(peer: Peer, args: Ids & { readonly bytes: number }, tell: Tell): Promise<Drained> {
  return loop(
    args,
    async (caller) => {
      await peer.update(`${args.name}:${caller}`, args.bytes, (value) => void (value.n += 1));
      return 0;
    },
    tell,
  );
}

/** All callers update one state. The wait is until the update is done. */
export function updateShared(peer: Peer, args: Ids, tell: Tell): Promise<Drained> {
  return loop(
    args,
    async () => {
      await peer.update(args.name, 10, (value) => void (value.n += 1));
      return 0;
    },
    tell,
  );
}

/** Callers share a few ids and count under the lock in two steps: what locks do must come out right here. */
export function countUnderLock(
  peer: Peer,
  args: Ids & { readonly ids: number },
  tell: Tell,
): Promise<Drained> {
  return loop(
    args,
    async (caller) => {
      const id = `${args.name}:${caller % args.ids}`;
      await peer.withLock(id, async () => {
        const value = (await peer.load(id)) ?? { n: 0, items: [] };
        value.n += 1;
        await peer.save(id, value);
      });
      return 0;
    },
    tell,
  );
}

/** Loads; where there is no library it is a bare GET, not parsed. */
export function loadOwn(peer: Peer, args: Ids, tell: Tell): Promise<Drained> {
  const load = (id: string): Promise<unknown> =>
    peer instanceof HoldfastPeer ? peer.load(id) : (peer as Peer & Bare).get(id);
  return loop(
    args,
    async (caller) => {
      if ((await load(`${args.name}:${caller}`)) === null) throw new Error("it is not there");
      return 0;
    },
    tell,
  );
}

/** The counters of these states together. */
export async function total(peer: Peer, { ids }: { readonly ids: readonly string[] }): Promise<number> {
  const values = await Promise.all(ids.map((id) => peer.load(id)));
  return values.reduce((n, value) => n + (value?.n ?? 0), 0);
}
