/**
 * A dict while it is being read. Whether it becomes an object or a `Map` is known only when its last key is, and it may
 * be referred to before that: `finish.ts` puts the result in its place.
 *
 * Keys that Python holds equal are one: the first key stays, and the last value.
 */
import { isSimple, type FirstKeys } from "./first-keys.ts";

export class DictNode {
  readonly #newKeys: () => FirstKeys;
  #isMap: boolean;
  #entries: Map<unknown, unknown> | undefined;
  #first: FirstKeys | undefined;
  #target: object | undefined;

  /** `asMap`: even if all keys are text. */
  constructor(newKeys: () => FirstKeys, asMap: boolean) {
    this.#newKeys = newKeys;
    this.#isMap = asMap;
  }

  /** Returns false if Python could not use the key. */
  set(key: unknown, value: unknown): boolean {
    this.#entries ??= new Map();
    if (typeof key !== "string") this.#isMap = true;
    if (this.#first === undefined && !isSimple(key)) {
      this.#first = this.#newKeys().addAll(this.#entries.keys());
    }
    const kept = this.#first === undefined ? key : this.#first.of(key);
    if (kept === undefined) return false;
    this.#entries.set(kept, value);
    return true;
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
