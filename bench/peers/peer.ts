/**
 * What every contender is to the bench: a lock, and a value under the same id.
 *
 * The peers lock with their library and keep the value by plain GET and SET, as their users do (`ByHand`). Holdfast does
 * both in one. An acquire rejects when it gave up waiting; a release rejects when the lock was not ours any more.
 */

/** How long each contender may wait for a lock: Holdfast's default. */
export const waitMs = 10_000;
/** How long the server keeps a lock that nobody renews: Holdfast's default. */
export const leaseMs = 30_000;

/** What the bench keeps: a counter that must come out right, among other things. */
export interface Value {
  n: number;
  items: Item[];
}

export interface Item {
  sku: string;
  title: string;
  count: number;
  price: number;
  open: boolean;
}

/** About this many bytes as JSON: records, as an application has them, not one long string. */
export function makeValue(bytes: number): Value {
  const value: Value = { n: 0, items: [] };
  while (JSON.stringify(value).length < bytes - 45) {
    const i = value.items.length;
    value.items.push({
      sku: `a-${1000 + i}`,
      title: `thing number ${i} on the shelf`,
      count: i,
      price: 9.5 + i,
      open: i % 2 === 0,
    });
  }
  return value;
}

export interface Peer<Held = unknown> {
  acquire(id: string): Promise<Held>;
  release(held: Held): Promise<unknown>;
  withLock<R>(id: string, body: () => Promise<R>): Promise<R>;
  /** Lock, load, change, save, unlock. `bytes`: how large the value is when it is made. */
  update(id: string, bytes: number, change: (value: Value) => void): Promise<void>;
  /** The plain value, without the lock. */
  load(id: string): Promise<Value | null>;
  /** Writes the value, inside `withLock` of the same id. */
  save(id: string, value: Value): Promise<unknown>;
  close(): Promise<unknown>;
}

/** What a bare client can be asked beside. */
export interface Bare {
  /** The text, not parsed. */
  get(id: string): Promise<string | null>;
  ping(): Promise<unknown>;
}

/** Opens a contender's client on a server, or on a file. */
export type OpenPeer = (url: string) => Promise<Peer>;

/** GET and SET of whatever client a peer is used with. */
export interface Strings {
  get(key: string): Promise<string | null>;
  set(key: string, text: string): Promise<unknown>;
  ping(): Promise<unknown>;
  quit(): Promise<unknown>;
}

/** Four steps around a library that only locks. */
export abstract class ByHand<Held> implements Peer<Held> {
  protected readonly strings: Strings;

  constructor(strings: Strings) {
    this.strings = strings;
  }

  abstract acquire(id: string): Promise<Held>;
  abstract release(held: Held): Promise<unknown>;

  async withLock<R>(id: string, body: () => Promise<R>): Promise<R> {
    const held = await this.acquire(id);
    try {
      return await body();
    } finally {
      await this.release(held);
    }
  }

  update(id: string, bytes: number, change: (value: Value) => void): Promise<void> {
    return this.withLock(id, async () => {
      const value = (await this.load(id)) ?? makeValue(bytes);
      change(value);
      await this.save(id, value);
    });
  }

  async load(id: string): Promise<Value | null> {
    const text = await this.strings.get(`value:${id}`);
    return text === null ? null : (JSON.parse(text) as Value);
  }

  save(id: string, value: Value): Promise<unknown> {
    return this.strings.set(`value:${id}`, JSON.stringify(value));
  }

  close(): Promise<unknown> {
    return this.strings.quit();
  }
}

/** A package of bench/node_modules; described by what is used of it, since the library is checked without them. */
export async function load<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}
