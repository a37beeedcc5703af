/**
 * Puts members into sets while they are being read: of those that Python holds equal, the first. A set may get its members
 * in several parts.
 */
import type { DictContext } from "./dict-node.ts";
import { isSimple, type FirstKeys } from "./first-keys.ts";
import { HashBuckets } from "./hash-buckets.ts";

export class SetFiller {
  readonly #context: DictContext;
  /** Of sets with members that are not simple. */
  readonly #keys = new Map<Set<unknown>, FirstKeys>();
  /** Of large sets. */
  readonly #buckets = new Map<Set<unknown>, HashBuckets>();

  constructor(context: DictContext) {
    this.#context = context;
  }

  /** Returns false if Python could not hash one of the members. */
  addAll(set: Set<unknown>, members: readonly unknown[]): boolean {
    let keys = this.#keys.get(set);
    let buckets = this.#buckets.get(set);
    for (const member of members) {
      if (keys === undefined && !isSimple(member)) {
        keys = this.#context.newKeys().addAll(set);
        this.#keys.set(set, keys);
      }
      const kept = keys === undefined ? member : keys.of(member);
      if (kept === undefined) return false;
      const { size } = set;
      if (size === HashBuckets.fewestKeys) buckets ??= this.#newBuckets(set);
      set.add(kept);
      buckets?.used(kept, set.size > size);
    }
    return true;
  }

  #newBuckets(set: Set<unknown>): HashBuckets {
    const buckets = new HashBuckets(set, this.#context.countComparisons);
    this.#buckets.set(set, buckets);
    return buckets;
  }
}
