// What a hostile neighbour may put under the keys of a store on Redis: wrong types, huge, truncated, nested and
// poisoned values, numbers that are none; and messages on our channels. It knows the protocol and names real tickets.

import fc from "fast-check";

import { idArbitrary } from "./calls.ts";

export type Kind = "state" | "lock" | "queue" | "asks" | "done" | "stamp" | "wake";

/** One command of the neighbour's, with `$ticket`, `$client` and `$n` still to be filled in. */
export interface Plant {
  readonly kind: Kind;
  readonly id: string;
  /** Commands after the key: `["SET", "x"]` is `SET <key> x`. */
  readonly commands: readonly (readonly string[])[];
  /** Whose client id and receipts. */
  readonly of: number;
}

const number = fc.oneof(
  fc.integer({ min: -5, max: 5 }).map(String),
  fc.integer({ min: 0, max: 60_000 }).map(String),
  fc.constantFrom("nan", "NaN", "inf", "-inf", "1e308", "-1e308", "1e15", "0x10", "", " 1", "1.5", "-0", "١"),
  fc.constantFrom("9007199254740991", "4503599627370495", "4503599627370496", "99999999999999999999"),
  fc.constantFrom("1800000000000000", "9".repeat(30), "9".repeat(400)),
);
const evilJson = fc.constantFrom(
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"n":1e999}',
  '"\\ud800"',
  "[".repeat(600),
  `${"[".repeat(600)}${"]".repeat(600)}`,
  '{"n":',
  "",
  "\ufeff{}",
  `"${"x".repeat(40_000)}"`,
  '"\\u0000"',
);
const goodJson = fc.jsonValue({ maxDepth: 2, stringUnit: "grapheme" }).map((value) => JSON.stringify(value));
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 12 }),
  evilJson,
  number,
);

const state = fc.oneof(
  fc.tuple(number, fc.oneof(goodJson, evilJson)).map(([revision, json]) => `hf1 ${revision} json\n${json}`),
  fc
    .tuple(fc.nat(1e9), fc.oneof(goodJson, evilJson))
    .map(([revision, json]) => `hf1 ${String(revision + 1)} json\n${json}`),
  fc.constantFrom(
    "hf1 5 msgpack\n\x81",
    "hf2 5 json\n{}",
    "hf1 5 json",
    "hf1",
    "",
    "hf1 5 json\n",
    "not ours",
  ),
  fc.nat(300).map((length) => `hf1 5 ${"j".repeat(length)}\n{}`),
  text,
);

const ticket = fc.oneof(
  fc.constantFrom(
    "$ticket",
    "$ticket",
    "$client",
    "h:1:abc:1",
    "h:1:$client:99",
    "h:x:abc:1",
    "",
    " ",
    "a b",
    "\n",
  ),
  fc.string({ maxLength: 8 }),
);
const lock = fc.oneof(
  fc.tuple(ticket, number).map(([holder, fence]) => `${holder} ${fence}`),
  fc.tuple(ticket, number, number).map(([holder, first, last]) => `${holder} ${first} ${last}`),
  fc.constantFrom("$ticket", "$ticket ", "$ticket x y", "foreign"),
  text,
);
const wish = fc.constantFrom("q", "qs", "qsp", "qp", "-", "sss", "p");
const ask = fc.oneof(
  fc.tuple(number, number, wish, number, number).map((words) => words.join(" ")),
  fc.tuple(number, wish, number).map(([lease, wished, fences]) => `$now ${lease} ${wished} ${fences} $now`),
  text,
);
const receipt = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("$n", "$n", "1", "2", "3", "999999"),
      fc.constantFrom(
        "released",
        "kept",
        "saved",
        "cancelled",
        "forgotten",
        "conflict",
        "unreadable",
        "touched",
        "x",
        "",
      ),
      fc.array(fc.oneof(number, fc.constantFrom("-", "absent", "OUT_OF_MEMORY")), { maxLength: 3 }),
    )
    .map(([n, word, words]) => [n, word, ...words].join(" ")),
  fc.tuple(number, text).map((words) => words.join(" ")),
  text,
);
const slot = fc.oneof(fc.integer({ min: 0, max: 4 }).map(String), text);
const score = number.filter((word) => word !== "" && !Number.isNaN(Number(word)));
const wakeWord = fc.oneof(number, fc.integer({ min: -3, max: 100_000 }).map(String));
const wake = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("granted", "wanted", "forced", "x"),
      ticket,
      wakeWord,
      wakeWord,
      wakeWord,
      wakeWord,
      state,
    )
    .map(([kind, of, fence, fences, lease, others, value]) => {
      const rest = kind === "granted" ? `${fence} ${fences} ${lease} ${others} s $id\n${value}` : "$id";
      return `${kind} ${of} ${rest}`;
    }),
  text,
);

/** Any of our keys, as a type that it should not be. */
const wrongType: fc.Arbitrary<readonly (readonly string[])[]> = fc.oneof(
  fc.array(text, { minLength: 1, maxLength: 3 }).map((items) => [["DEL"], ["RPUSH", ...items]]),
  text.map((field) => [["DEL"], ["HSET", field, "x"]]),
  text.map((member) => [["DEL"], ["SADD", member]]),
  fc.tuple(score, text).map(([at, member]) => [["DEL"], ["ZADD", at, member]]),
  text.map((value) => [["SET", value]]),
  text.map((value) => [["DEL"], ["XADD", "*", "field", value]]),
);

const set = (value: fc.Arbitrary<string>, lives: string[][]): fc.Arbitrary<readonly (readonly string[])[]> =>
  fc.tuple(value, fc.constantFrom(...lives)).map(([word, life]) => [["SET", word, ...life]]);
const long = [[], ["PX", "60000"]];

const right: Readonly<Record<Kind, fc.Arbitrary<readonly (readonly string[])[]>>> = {
  state: set(state, long),
  lock: set(lock, [...long, ["PX", "50"]]),
  stamp: set(number, long),
  queue: fc
    .array(fc.tuple(score, ticket), { minLength: 1, maxLength: 4 })
    .map((members) => [["ZADD", ...members.flat()]]),
  asks: fc
    .array(fc.tuple(ticket, ask), { minLength: 1, maxLength: 4 })
    .map((fields) => [["HSET", ...fields.flat()]]),
  done: fc
    .array(fc.tuple(slot, receipt), { minLength: 1, maxLength: 4 })
    .map((fields) => [["HSET", ...fields.flat()]]),
  wake: wake.map((message) => [["PUBLISH", message]]),
};

/** A waiter that never was: in the queue, and with an ask. */
const ghost: fc.Arbitrary<Plant[]> = fc
  .tuple(idArbitrary, ticket, score, ask, fc.nat(1))
  .map(([id, name, at, asked, of]) => [
    { kind: "queue", id, commands: [["ZADD", at, name]], of },
    { kind: "asks", id, commands: [["HSET", name, asked]], of },
  ]);

const single: fc.Arbitrary<Plant[]> = fc
  .constantFrom<Kind>("state", "state", "lock", "queue", "asks", "done", "stamp", "wake")
  .chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      id: idArbitrary,
      of: fc.nat(1),
      commands: kind === "wake" ? right.wake : fc.oneof({ weight: 3, arbitrary: right[kind] }, wrongType),
    }),
  )
  .map((plant) => [plant]);

/** What is put there at once. */
export const plantsArbitrary: fc.Arbitrary<Plant[]> = fc.oneof({ weight: 4, arbitrary: single }, ghost);
