/** Holdfast as it is built: plain JavaScript, as its users and its peers run. */
import type * as Library from "holdfast";
import { load, makeValue, type Peer, type Value } from "./peer.ts";

type Holdfast = typeof Library;

export function loadHoldfast(): Promise<Holdfast> {
  return load<Holdfast>(new URL("../../dist/index.js", import.meta.url).href);
}

/** All options at their defaults. */
export async function openHoldfast(url: string): Promise<HoldfastPeer> {
  const { open } = await loadHoldfast();
  return new HoldfastPeer(await open(url).ready());
}

/** The URLs of several servers, with spaces in between. */
export async function openHoldfastOnShards(urls: string): Promise<HoldfastPeer> {
  const { open } = await loadHoldfast();
  return new HoldfastPeer(await open(urls.split(" ")).ready());
}

export class HoldfastPeer implements Peer<Library.Grant> {
  readonly store: Library.Store;

  constructor(store: Library.Store) {
    this.store = store;
  }

  acquire(id: string): Promise<Library.Grant> {
    return this.store.lock(id).acquire();
  }

  async release(grant: Library.Grant): Promise<void> {
    if (!(await grant.release())) throw new Error("the lock was lost before its release");
  }

  withLock<R>(id: string, body: () => Promise<R>): Promise<R> {
    return this.store.lock(id).run(body);
  }

  update(id: string, bytes: number, change: (value: Value) => void): Promise<void> {
    return this.store.state(id, { initial: () => makeValue(bytes) }).run(change);
  }

  async load(id: string): Promise<Value | null> {
    return (await this.store.state<Value>(id).load()) ?? null;
  }

  save(id: string, value: Value): Promise<unknown> {
    return this.store.state<Value>(id).save(value);
  }

  close(): Promise<void> {
    return this.store.close({ drainMs: 0 });
  }
}

/** For what only Holdfast is asked. */
export function storeOf(peer: Peer): Library.Store {
  if (peer instanceof HoldfastPeer) return peer.store;
  throw new Error("this is asked of Holdfast only");
}
