/**
 * Which shard has an id. A stored format: with another answer, a store would not find its own data.
 *
 * The tag of an id is the text between its first `{` and the next `}`, unless that is empty; without one, it is the
 * whole id. So ids with a common tag are on one shard. The hash of the tag is MurmurHash3 (x86, 32 bits, seed 0) of its
 * UTF-8. Each shard has a weight, `mix(hash XOR shard · 0x9e3779b9)` with shards counted from 0 and the final mix of
 * MurmurHash3, and the one with the greatest weight has the id (rendezvous hashing). So one more shard takes an equal
 * part from each of the others, and nothing else moves. test/unit/backends/shards/shard-of.test.ts has values to
 * compare another implementation with.
 */

/** `count`: the number of shards. Returns one from 0. */
export function shardOf(id: string, count: number): number {
  const hash = murmur3(Buffer.from(tagOf(id)));
  let [best, greatest] = [0, -1];
  for (let shard = 0; shard < count; shard += 1) {
    const weight = mix(hash ^ Math.imul(shard, 0x9e3779b9));
    if (weight > greatest) [best, greatest] = [shard, weight];
  }
  return best;
}

/** As on a Redis Cluster. */
export function tagOf(id: string): string {
  const from = id.indexOf("{");
  const to = id.indexOf("}", from + 1);
  return from === -1 || to <= from + 1 ? id : id.slice(from + 1, to);
}

export function murmur3(bytes: Uint8Array): number {
  const { length } = bytes;
  const byte = (at: number): number => bytes[at] ?? 0;
  const whole = length & ~3;
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    const word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    hash = Math.imul(rotated(hash ^ scrambled(word), 13), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let at = length - 1; at >= whole; at -= 1) rest = (rest << 8) | byte(at);
  return mix(hash ^ scrambled(rest) ^ length);
}

function scrambled(word: number): number {
  return Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Unsigned. */
function mix(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
