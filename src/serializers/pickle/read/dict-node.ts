/**
 * A dict while it is being read. Whether it becomes an object or a `Map` is known only when its last key is, and it may
 * be referred to before that: `finish.ts` puts the result in its place.
 *
 * Keys that Python holds equal are one: the first key stays, and the last value.
 */
import { isSimple, type FirstKeys } from "./first-keys.ts";
import { HashBuckets } from "./hash-buckets.ts";

/** What a dict asks the machine for. */
export interface DictContext {
  readonly newKeys: () => FirstKeys;
  readonly countComparisons: (count: number) => void;
}

export class DictNode {
  readonly #context: DictContext;
  #isMap: boolean;
  #entries: Map<unknown, unknown> | undefined;
  #first: FirstKeys | undefined;
  #buckets: HashBuckets | undefined;
  #target: object | undefined;

  /** `asMap`: even if all keys are text. */
  constructor(context: DictContext, asMap: boolean) {
    this.#context = context;
    this.#isMap = asMap;
  }

  /** Returns false if Python could not use the key. */
  set(key: unknown, value: unknown): boolean {
    this.#entries ??= new Map();
    if (typeof key !== "string") this.#isMap = true;
    if (this.#first === undefined && !isSimple(key)) {
      this.#first = this.#context.newKeys().addAll(this.#entries.keys());
    }
    const kept = this.#first === undefined ? key : this.#first.of(key);
    if (kept === undefined) return false;
    this.#put(this.#entries, kept, value);
    return true;
  }

  #put(entries: Map<unknown, unknown>, key: unknown, value: unknown): void {
    const { size } = entries;
    if (size === HashBuckets.fewestKeys)
      this.#buckets ??= new HashBuckets(entries.keys(), this.#context.countComparisons);
    entries.set(key, value);
    this.#buckets?.used(key, entries.size > size);
  }

  /** The object or `Map` with these entries, always the same; asked for when nothing is added any more. */
  get target(): object {
    this.#target ??= this.#build();
    return this.#target;
  }

  #build(): object {
    const entries = this.#entries ?? new Map<string, unknown>();
    this.#entries = undefined;
    this.#first = undefined;
    this.#buckets = undefined;
    return this.#isMap ? entries : objectOf(entries as Map<string, unknown>);
  }
}

function objectOf(entries: ReadonlyMap<string, unknown>): object {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    if (key !== "__proto__") object[key] = value;
    // By definition: an assignment would set the prototype.
    else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}
