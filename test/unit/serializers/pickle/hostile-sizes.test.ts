// Small pickles that would take much time or memory: they end soon, by the limits or because shared parts count once. Each is
// so large that anything slower than linear would not end within the time of a test.

import { describe, expect, test } from "vitest";

import { createPickle, pickle, type PickleOptions } from "../../../../src/pickle.ts";
import { assemble, length, named, op, repeat, text, type Part } from "./assembler.ts";

const read = (parts: Part, options?: PickleOptions): unknown =>
  createPickle(options).deserialize(assemble(parts));
const million = 1_000_000;
const one = [op.BININT1, 1];
const small = text("k");

/** `levels` times: what is in the memo, twice or more, in something that takes its place there. */
function laughs(levels: number, first: Part, level: Part): Part {
  return [first, op.BINPUT, 0, op.POP, repeat(levels, level, op.BINPUT, 0, op.POP)];
}
const again = [op.BINGET, 0];

describe("[S6] a billion laughs", () => {
  test("in tuples that are keys", () => {
    const bomb = laughs(200, one, [op.MARK, repeat(10, again), op.TUPLE]);
    const value = read([bomb, op.EMPTY_DICT, again, op.NONE, op.SETITEM, op.STOP]) as Map<unknown, unknown>;
    expect(value.size).toBe(1);
    expect(pickle.serialize(value).length).toBeLessThan(10_000);
  });

  test("in tuples that are equal, but not the same", () => {
    const key = laughs(200, one, [op.MARK, repeat(10, again), op.TUPLE]);
    const entry = [key, again, op.NONE];
    const value = read([op.EMPTY_DICT, op.MARK, entry, entry, op.SETITEMS, op.STOP]) as Map<unknown, unknown>;
    expect(value.size).toBe(1);
  });

  test("in frozen sets", () => {
    const bomb = laughs(200, one, [op.MARK, again, again, op.TUPLE2, again, op.FROZENSET]);
    const twice = laughs(200, one, [op.MARK, again, op.NONE, op.FROZENSET]);
    expect(read([op.MARK, bomb, again, twice, again, op.FROZENSET, op.STOP])).toMatchObject({});
  });

  test.each<readonly [what: string, level: Part]>([
    ["lists", [op.MARK, repeat(10, again), op.LIST]],
    ["dicts", [op.MARK, text("a"), again, text("b"), again, op.DICT]],
    ["Maps", [op.MARK, one, again, op.NONE, again, op.DICT]],
  ])("in %s", (_, level) => {
    const value = read([laughs(200, op.NONE, level), again, op.STOP]);
    expect(pickle.serialize(value).length).toBeLessThan(20_000);
  });
});

describe("[S6] copies of what is named again and again", () => {
  const manyOf = (module: string, name: string): Part =>
    repeat(100_000, named(module, name), again, op.TUPLE1, op.REDUCE);

  test("a set of a long list", () => {
    const list = [op.MARK, repeat(million, op.NONE), op.LIST, op.BINPUT, 0, op.POP];
    const bomb = [list, op.MARK, manyOf("builtins", "frozenset"), op.LIST, op.STOP];
    expect(() => read(bomb)).toThrow(/has more than 10000000 values \(maxItems\) at byte/);
  });

  test("a bytearray of long bytes", () => {
    const bytes = [op.BINBYTES, length(million), repeat(million, "x"), op.BINPUT, 0, op.POP];
    const bomb = [bytes, op.MARK, manyOf("builtins", "bytearray"), op.LIST, op.STOP];
    expect(() => read(bomb)).toThrow(/copies more bytes than it has at byte/);
  });

  test("the bytes of a long text", () => {
    const letters = [op.BINUNICODE, length(million), repeat(million, "x"), op.BINPUT, 0, op.POP];
    const call = repeat(100_000, named("_codecs", "encode"), again, text("latin1"), op.TUPLE2, op.REDUCE);
    expect(() => read([letters, op.MARK, call, op.LIST, op.STOP])).toThrow(/copies more bytes than it has/);
  });
});

describe("[S6] limits", () => {
  test.each<readonly [what: string, options: PickleOptions, within: Part, beyond: Part, message: RegExp]>([
    [
      "maxDepth",
      { maxDepth: 3 },
      repeat(3, op.TUPLE1),
      repeat(4, op.TUPLE1),
      /nested more than 3 levels deep/,
    ],
    ["maxItems", { maxItems: 3 }, repeat(2, op.DUP, op.POP), repeat(3, op.DUP, op.POP), /more than 3 values/],
    [
      "maxContainers",
      { maxContainers: 2 },
      repeat(2, op.TUPLE1),
      repeat(3, op.TUPLE1),
      /more than 2 lists, tup/,
    ],
    [
      "maxMemo",
      { maxMemo: 2 },
      [op.BINPUT, 9, op.MEMOIZE],
      [op.BINPUT, 9, op.BINPUT, 8, op.MEMOIZE],
      /more than 2/,
    ],
  ])("%s", (name, options, within, beyond, message) => {
    expect(read([op.NONE, within, op.STOP], options)).toBeDefined();
    expect(() => read([op.NONE, beyond, op.STOP], options)).toThrow(message);
    expect(() => read([op.NONE, beyond, op.STOP], options)).toThrow(name);
  });

  test("a depth that only a reference makes", () => {
    // Each list is put into the one after it before it gets what is in it.
    const chain = Array.from({ length: 1001 }, (_, index) => [op.EMPTY_LIST, op.LONG_BINPUT, length(index)]);
    const link = Array.from({ length: 1000 }, (_, index) => [
      ...[op.LONG_BINGET, length(index), op.LONG_BINGET, length(index + 1), op.APPEND, op.POP],
    ]);
    const make = (count: number): Part => [
      ...[op.MARK, chain.slice(0, count), op.POP_MARK, link.slice(0, count - 1).reverse()],
      ...[op.LONG_BINGET, length(0), op.STOP],
    ];
    expect(read(make(1000))).toHaveLength(1);
    expect(() => read(make(1001))).toThrow(/nested more than 1000 levels deep \(maxDepth\)/);
  });

  test("a million levels do not reach the end of the stack", () => {
    expect(() => read([repeat(million - 1, op.EMPTY_LIST), repeat(million - 2, op.APPEND), op.STOP])).toThrow(
      /nested more than 1000 levels/,
    );
    const value = read([op.NONE, repeat(100_000, op.TUPLE1), op.STOP], { maxDepth: million });
    const deep = createPickle({ maxDepth: million });
    expect(
      Buffer.compare(deep.serialize(deep.deserialize(deep.serialize(value))), deep.serialize(value)),
    ).toBe(0);
  });

  test("a key of a hundred thousand levels", () => {
    const key = [op.NONE, repeat(100_000, op.TUPLE1)];
    const twice = [op.EMPTY_DICT, op.MARK, key, one, key, one, op.SETITEMS, op.STOP];
    const value = read(twice, { maxDepth: million });
    expect((value as Map<unknown, unknown>).size).toBe(1);
  });

  test("more than one million objects", () => {
    expect(() => read([op.MARK, repeat(8 * million, op.EMPTY_DICT), op.LIST, op.STOP])).toThrow(
      /has more than 1000000 lists, tuples, dicts, sets and other objects \(maxContainers\) at byte 1000001/,
    );
  });

  test("high indexes of the memo take no memory", () => {
    const put = (index: number): Part => [
      op.LONG_BINPUT,
      length(index),
      op.LONG_BINGET,
      length(index),
      op.POP,
    ];
    const puts = [0xffffffff, 0x80000000, 0x7fffffff].map(put);
    expect(read([op.NONE, puts, op.PUT, "4294967295\n", op.STOP])).toBe(null);
  });
});

describe("[S6] what takes more than linear time elsewhere", () => {
  test("bigints that V8 cannot tell apart by their hash", () => {
    const numbers = Array.from({ length: 300_000 }, (_, index) => {
      const high = index + 1;
      return [op.LONG1, 11, "\0\0\0\0\0\0\0\0", high & 0xff, (high >> 8) & 0xff, high >> 16];
    });
    expect(() => read([op.EMPTY_SET, op.MARK, numbers, op.ADDITEMS, op.STOP])).toThrow(
      /too many integers for keys that agree in their last 64 bits/,
    );
    const few = read([op.EMPTY_SET, op.MARK, numbers.slice(0, 1000), op.ADDITEMS, op.STOP]);
    expect((few as Set<unknown>).size).toBe(1000);
  });

  test("decimal numbers of the greatest length, and binary ones", () => {
    const decimals = repeat(400, op.LONG, repeat(10_000, "7"), "L\n");
    expect(read([op.MARK, decimals, op.LIST, op.STOP])).toHaveLength(400);
    const binary = [op.LONG4, length(8 * million), repeat(8 * million, "\x77"), op.STOP];
    expect(typeof read(binary)).toBe("bigint");
  });

  test("texts of nothing but escapes", () => {
    expect(read([op.UNICODE, repeat(million, "\\u0041"), "\n", op.STOP])).toHaveLength(million);
    expect(read([op.UNICODE, repeat(2 * million, "\\"), "\n", op.STOP])).toHaveLength(2 * million);
    expect(read([op.STRING, "'", repeat(million, "\\x41"), "'\n", op.STOP])).toHaveLength(million);
    const surrogates = [op.BINUNICODE, length(3 * million), repeat(million, "\xed\xa0\xbd"), op.STOP];
    expect(read(surrogates)).toHaveLength(million);
  });

  test("a set that is filled one by one", () => {
    const add = Array.from({ length: 200_000 }, (_, index) => [
      op.MARK,
      op.BININT,
      length(index),
      op.ADDITEMS,
    ]);
    expect((read([op.EMPTY_SET, add, op.STOP]) as Set<unknown>).size).toBe(200_000);
    const odd = [op.EMPTY_SET, op.MARK, op.NEWTRUE, op.ADDITEMS, add, op.STOP];
    expect((read(odd) as Set<unknown>).size).toBe(200_000);
  });

  test("a list that is filled with dicts one by one", () => {
    const add = repeat(200_000, op.EMPTY_DICT, small, op.NONE, op.SETITEM, op.APPEND);
    expect(read([op.EMPTY_LIST, add, op.STOP])).toHaveLength(200_000);
  });
});
