/**
 * Two values that change together. Holdfast has `transact`; with the peers, people lock both, then read with MGET and write with
 * MSET. redlock 5's `acquire` takes both ids at once; with redis-semaphore, they are locked one after the other, in order.
 */
import type * as Library from "holdfast";
import { ioredis, type IoRedis } from "./clients.ts";
import { HoldfastPeer, loadHoldfast } from "./holdfast.ts";
import { leaseMs, load, makeValue, waitMs, type OpenPeer, type Peer, type Value } from "./peer.ts";

export type ChangeTwo = (first: Value, second: Value) => void;

export interface Bank {
  /** Changes both values, under the locks of both. */
  changeTwo(ids: readonly [string, string], change: ChangeTwo): Promise<void>;
}

/** What only the contenders of this case are asked. */
export function bankOf(peer: Peer): Bank {
  if ("changeTwo" in peer) return peer as Peer & Bank;
  throw new Error("this peer cannot change two values");
}

/** All options at their defaults. */
export const openHoldfastBank: OpenPeer = async (url) => {
  const { open } = await loadHoldfast();
  return new HoldfastBank(await open(url).ready());
};

class HoldfastBank extends HoldfastPeer implements Bank {
  changeTwo([a, b]: readonly [string, string], change: ChangeTwo): Promise<void> {
    return this.store.transact([this.#state(a), this.#state(b)], ([first, second]) => change(first, second));
  }

  #state(id: string): Library.State<Value, Value> {
    return this.store.state(id, { initial: () => makeValue(0) });
  }
}

interface Texts extends IoRedis {
  mget(...keys: string[]): Promise<(string | null)[]>;
  mset(...keysAndTexts: string[]): Promise<unknown>;
}

type Locked = <R>(ids: readonly string[], body: () => Promise<R>) => Promise<R>;

/** Lock both, MGET, MSET, unlock both. */
class BankByHand implements Bank, Pick<Peer, "load" | "close"> {
  readonly #client: Texts;
  readonly #locked: Locked;

  constructor(client: Texts, locked: Locked) {
    this.#client = client;
    this.#locked = locked;
  }

  changeTwo([a, b]: readonly [string, string], change: ChangeTwo): Promise<void> {
    return this.#locked([a, b], async () => {
      const texts = await this.#client.mget(`value:${a}`, `value:${b}`);
      const [first, second] = [parse(texts[0]), parse(texts[1])];
      change(first, second);
      await this.#client.mset(`value:${a}`, JSON.stringify(first), `value:${b}`, JSON.stringify(second));
    });
  }

  async load(id: string): Promise<Value | null> {
    const text = await this.#client.get(`value:${id}`);
    return text === null ? null : parse(text);
  }

  close(): Promise<unknown> {
    return this.#client.quit();
  }
}

function parse(text: string | null | undefined): Value {
  return text === null || text === undefined ? makeValue(0) : (JSON.parse(text) as Value);
}

interface Lock {
  release(): Promise<unknown>;
}

interface RedlockModule {
  Redlock: new (
    clients: IoRedis[],
    options: { retryCount: number },
  ) => { acquire(ids: string[], ttl: number): Promise<Lock> };
}

export const openRedlockBank: OpenPeer = async (url) => {
  const { Redlock } = await load<RedlockModule>("@sesamecare-oss/redlock");
  const client = (await ioredis(url)) as Texts;
  const redlock = new Redlock([client], { retryCount: waitMs / 200 });
  const locked: Locked = async (ids, body) => {
    const keys = ids.map((id) => `lock:${id}`);
    return under(await redlock.acquire(keys, leaseMs), body);
  };
  return new BankByHand(client, locked) as unknown as Peer;
};

interface SemaphoreModule {
  Mutex: new (client: IoRedis, key: string, options: object) => Lock & { acquire(): Promise<void> };
}

export const openMutexBank: OpenPeer = async (url) => {
  const { Mutex } = await load<SemaphoreModule>("redis-semaphore");
  const client = (await ioredis(url)) as Texts;
  const options = { lockTimeout: leaseMs, acquireTimeout: waitMs, refreshInterval: 0 };
  const take = async (id: string): Promise<Lock> => {
    const mutex = new Mutex(client, id, options);
    await mutex.acquire();
    return mutex;
  };
  const locked: Locked = async (ids, body) => {
    const [first = "", second = ""] = ids.toSorted();
    return under(await take(first), async () => under(await take(second), body));
  };
  return new BankByHand(client, locked) as unknown as Peer;
};

async function under<R>(lock: Lock, body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } finally {
    await lock.release();
  }
}
