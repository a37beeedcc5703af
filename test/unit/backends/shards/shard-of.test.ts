// Which shard has an id: a stored format, so its values are written down here, with the hash's own test vectors.

import { describe, expect, test } from "vitest";

import { murmur3, shardOf, tagOf } from "../../../../src/backends/shard-of.ts";

test.each([
  ["", 0],
  ["a", 0x3c2569b2],
  ["test", 0xba6bd213],
  ["hello", 0x248bfa47],
  ["hello, world", 0x149bbb7f],
  ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
])("MurmurHash3 of %j", (text, hash) => {
  expect(murmur3(new TextEncoder().encode(text))).toBe(hash);
});

test.each([
  ["a{b}c{d}", "b"],
  ["{b}", "b"],
  ["{{b}}", "{b"],
  ["{}a", "{}a"],
  ["a{}{b}", "a{}{b}"],
  ["a{b", "a{b"],
  ["a}b{c}", "c"],
  ["plain", "plain"],
])("the tag of %j is %j", (id, tag) => {
  expect(tagOf(id)).toBe(tag);
});

describe("[S1] [L1] the shard of an id", () => {
  const counts = [1, 2, 3, 4, 16];
  test.each([
    ["x", [0, 0, 0, 0, 9]],
    ["a", [0, 1, 1, 1, 5]],
    ["invoice:7", [0, 1, 2, 2, 2]],
    ["order:42", [0, 0, 0, 0, 14]],
    ["{bank}:a", [0, 0, 0, 0, 4]],
    ["ä", [0, 1, 2, 2, 2]],
  ])("%s, of 1, 2, 3, 4 and 16", (id, shards) => {
    expect(counts.map((count) => shardOf(id, count))).toEqual(shards);
  });

  test("ids with a common tag are on one shard", () => {
    const shards = ["a", "b", "c"].map((name) => shardOf(`{bank}:${name}`, 64));
    expect(new Set(shards).size).toBe(1);
    expect(shardOf("bank", 64)).toBe(shards[0]);
  });

  test("ids that differ little are spread evenly", () => {
    for (const count of [2, 3, 8]) {
      const found = Array.from({ length: count }, () => 0);
      for (let n = 0; n < 8_000; n += 1) found[shardOf(`user:${2 * n}`, count)]! += 1;
      for (const one of found) expect(Math.abs((one * count) / 8_000 - 1)).toBeLessThan(0.1);
    }
  });

  test("one more shard takes an equal part from the others, and nothing else moves", () => {
    const ids = Array.from({ length: 4_000 }, (_, n) => `id-${n}`);
    const moved = ids.filter((id) => shardOf(id, 3) !== shardOf(id, 4));
    expect(new Set(moved.map((id) => shardOf(id, 4)))).toEqual(new Set([3]));
    expect(moved.length / ids.length).toBeCloseTo(1 / 4, 1);
  });
});
