/**
 * Counts how many keys a `Map` or `Set` of JavaScript has to compare with each other, because their hashes agree.
 *
 * V8 hashes numbers and bigints without a secret, so that a pickle can be full of keys for one bucket, each of which is
 * compared with all others. These are V8's hashes and its growth of a table. If they change one day, then ordinary keys
 * are spread as evenly by these; and only a pickle that was made for the old ones is refused without need.
 */

/** So many keys may agree in any case: less is no harm, and more does not happen by chance. */
const spared = 16;
/** The capacity is twice as much. */
const fewestBuckets = 64;

export class HashBuckets {
  /** Of a `Map` or `Set` with fewer keys, none is needed. */
  static readonly fewestKeys = 64;

  readonly #countComparisons: (count: number) => void;
  readonly #hashes: number[] = [];
  #counts = new Uint32Array(fewestBuckets);

  /** `keys`: those that are there already. */
  constructor(keys: Iterable<unknown>, countComparisons: (count: number) => void) {
    this.#countComparisons = countComparisons;
    for (const key of keys) this.used(key, true);
  }

  /** To be told of each key that is looked up, new or not. */
  used(key: unknown, isNew: boolean): void {
    if (typeof key !== "number" && typeof key !== "bigint") return; // its hash has a secret
    const hash = typeof key === "number" ? hashOfNumber(key) : hashOfBigint(key);
    const bucket = hash & (this.#counts.length - 1);
    const alike = this.#counts[bucket] ?? 0;
    if (alike > spared) this.#countComparisons(alike * lengthOf(key));
    if (!isNew) return;
    this.#counts[bucket] = alike + 1;
    this.#hashes.push(hash);
    if (this.#hashes.length > 2 * this.#counts.length) this.#grow();
  }

  #grow(): void {
    const counts = new Uint32Array(2 * this.#counts.length);
    for (const hash of this.#hashes) {
      const bucket = hash & (counts.length - 1);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    this.#counts = counts;
  }
}

/** How long a comparison may take: bigints are compared word by word. */
function lengthOf(key: number | bigint): number {
  return typeof key === "number" ? 1 : Math.ceil(key.toString(16).length / 16);
}

const double = new DataView(new ArrayBuffer(8));

function hashOfNumber(key: number): number {
  if ((key | 0) === key) return hashOfInt32(key);
  double.setFloat64(0, key);
  return hashOfInt64(double.getInt32(0), double.getInt32(4));
}

/** Only the lowest word of the magnitude counts. */
function hashOfBigint(key: bigint): number {
  const word = BigInt.asUintN(64, key < 0n ? -key : key);
  return hashOfInt64(Number(word >> 32n), Number(word & 0xffff_ffffn));
}

function hashOfInt32(key: number): number {
  let hash = (~key + (key << 15)) | 0;
  hash ^= hash >>> 12;
  hash = (hash + (hash << 2)) | 0;
  hash ^= hash >>> 4;
  hash = Math.imul(hash, 2057);
  hash ^= hash >>> 16;
  return hash & 0x3fff_ffff;
}

/** Of 64 bits, in two halves. */
function hashOfInt64(highHalf: number, lowHalf: number): number {
  const sum = (~lowHalf >>> 0) + ((lowHalf << 18) >>> 0);
  let high = (~highHalf + ((highHalf << 18) | (lowHalf >>> 14)) + carryOf(sum)) | 0;
  let low = sum | 0;
  low ^= (high << 1) | (low >>> 31);
  high ^= high >>> 31;
  let product = (low >>> 0) * 21;
  high = (Math.imul(high, 21) + carryOf(product)) | 0;
  low = product | 0;
  low ^= (low >>> 11) | (high << 21);
  high ^= high >>> 11;
  product = (low >>> 0) * 65;
  high = (Math.imul(high, 65) + carryOf(product)) | 0;
  low = product | 0;
  low ^= (low >>> 22) | (high << 10);
  return low & 0x3fff_ffff;
}

function carryOf(sum: number): number {
  return Math.floor(sum / 2 ** 32);
}
