/**
 * The keys of one dict or set while it is being read: of those that Python holds equal, the first.
 *
 * A `Map` or `Set` does it alone while all its keys are simple. From the first other one on, all of them are looked up here.
 * It also makes a key into what a `Map` or `Set` of JavaScript can keep.
 */
import type { KeyIds } from "../key-ids.ts";
import { PyFloat } from "../python/collections.ts";

/** Whether JavaScript compares it with others of this kind as Python does: text, None, and most numbers. */
export function isSimple(key: unknown): boolean {
  if (typeof key !== "number") return typeof key === "string" || key === null;
  return !Number.isNaN(key) && !Object.is(key, -0);
}

export class FirstKeys {
  readonly #keyIds: KeyIds;
  readonly #first = new Map<number, unknown>();
  #hasNaN = false;

  constructor(keyIds: KeyIds) {
    this.#keyIds = keyIds;
  }

  /** Takes over the simple keys that are there already. */
  addAll(keys: Iterable<unknown>): this {
    for (const key of keys) this.of(key);
    return this;
  }

  /** The key to use in the `Map` or `Set`. `undefined`: Python could not use it as a key. */
  of(key: unknown): unknown {
    if (typeof key === "string") return key; // equal to nothing else
    const id = this.#keyIds.idOf(key);
    if (id === undefined) return undefined;
    const first = this.#first.get(id);
    if (first !== undefined) return first;
    const kept = this.#keepable(key);
    this.#first.set(id, kept);
    return kept;
  }

  /** A `Map` turns -0 into 0, and has one NaN, where Python may have several. */
  #keepable(key: unknown): unknown {
    if (Object.is(key, -0)) return new PyFloat(-0);
    if (!Number.isNaN(key)) return key;
    if (this.#hasNaN) return new PyFloat(NaN);
    this.#hasNaN = true;
    return key;
  }
}
