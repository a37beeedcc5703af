// The doors: ids, options and targets of all kinds. Each is refused with INVALID_ARGUMENT or is good, by rules that are
// written down here a second time; and a password is never seen in an error, a name or the store itself [P3].

import fc from "fast-check";
import { deepStrictEqual, ok } from "node:assert/strict";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { pure, settleNow, visible, type Target, type Verdict } from "./harness.ts";

const junk = fc.oneof(
  fc.anything(),
  fc.constantFrom<unknown>(
    NaN,
    -0,
    Infinity,
    -Infinity,
    1e308,
    2 ** 53,
    -1,
    0,
    0.5,
    "",
    "1",
    1n,
    Symbol("s"),
    [],
  ),
);

// Ids, by way of a store in memory.

const utf16 = fc.nat(0xffff).map((code) => String.fromCharCode(code));
const idText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: utf16, maxLength: 6 }),
  fc.string({
    unit: fc.constantFrom("}", "{", "*", "?", "[", "\\", ":", "/", ".", " ", "é", "😀", "x"),
    maxLength: 12,
  }),
  fc
    .tuple(fc.constantFrom("a", "é", "😀"), fc.integer({ min: 120, max: 520 }))
    .map(([unit, times]) => unit.repeat(times)),
  fc.constantFrom("__proto__", "constructor", "\0", "a\nb", "\ud800", "}", "\u0085"),
);

function isGoodId(id: unknown): boolean {
  if (typeof id !== "string" || id === "" || id.startsWith("}")) return false;
  const points = Array.from(id, (character) => character.codePointAt(0) ?? 0);
  if (points.some((point) => point < 0x20 || (point >= 0x7f && point <= 0x9f))) return false;
  if (points.some((point) => point >= 0xd800 && point <= 0xdfff)) return false;
  return new TextEncoder().encode(id).length <= 512;
}

export const ids: Target = {
  name: "ids",
  share: 0.08,
  prepare: async () => {
    const store = open("memory:");
    const property = fc.asyncProperty(fc.oneof({ weight: 6, arbitrary: idText }, junk), async (id) => {
      const good = isGoodId(id);
      for (const make of [() => store.state(id as string), () => store.lock(id as string)]) {
        const verdict = settleNow("a handle", make);
        ok(good === "value" in verdict, `${visible(id)} is ${good ? "good" : "bad"}`);
        if ("code" in verdict) ok(verdict.code === "INVALID_ARGUMENT" && verdict.error.message.length < 400);
      }
      if (good) await comesBack(store, id as string);
    });
    return { property, end: () => store.close() };
  },
};

async function comesBack(store: Store, id: string): Promise<void> {
  const state = store.state(id);
  await state.save({ id });
  deepStrictEqual(await state.load(), { id });
  const listed: string[] = [];
  for await (const entry of store.states({ idPrefix: id })) listed.push(entry.id);
  deepStrictEqual(listed, [id]);
  await state.delete();
}

// Options, by the bounds of the documentation.

const within = (min: number, max: number) => (value: unknown) =>
  typeof value === "number" && value >= min && value <= max;
const whole = (min: number, max: number) => (value: unknown) =>
  Number.isInteger(value) && within(min, max)(value);
const dayMs = 86_400_000;
/** None, or one hash tag that does not follow "lock:". */
const hasGoodBraces = (text: string): boolean =>
  /^[^{}]*(\{[^{}]+\}[^{}]*)?$/.test(text) && !text.includes("lock:{");
const rules: Readonly<Record<keyof OpenOptions, (value: unknown) => boolean>> = {
  prefix: (value) => value === "" || (isGoodId(value) && hasGoodBraces(String(value))),
  shards: whole(1, 64),
  declareKeys: (value) => typeof value === "boolean",
  index: (value) => typeof value === "boolean",
  serializer: (value) => ["json", "text", "bytes", "pickle"].includes(value as string),
  leaseMs: whole(100, dayMs),
  waitMs: within(0, Infinity),
  operationMs: within(1, dayMs),
  maxStateBytes: whole(1, 512 * 1024 * 1024),
  durability: isForNone,
  passOverDead: (value) => typeof value === "boolean",
  closeOn: (value) => Array.isArray(value) && value.length === 0, // no signal is called so by chance
};
/** Memory has no replicas: none can be asked for. */
function isForNone(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "replicas")) return false;
  return Object.entries(value).every(([name, part]) =>
    name === "replicas" ? part === 0 : name === "timeoutMs" && (part === undefined || whole(1, dayMs)(part)),
  );
}
const optionName = fc.constantFrom(
  ...Object.keys(rules),
  "__proto__",
  "constructor",
  "leasems",
  "toString",
  "",
);
const optionValue = fc.oneof(
  { weight: 2, arbitrary: junk },
  fc.double(),
  fc.integer({ min: 0, max: 1e9 }),
  fc.record(
    { replicas: fc.constantFrom<unknown>(0, 1, -1, "0"), timeoutMs: fc.integer({ min: -1 }) },
    { requiredKeys: [] },
  ),
  fc.constantFrom<unknown>(
    "json",
    "bytes",
    "pickle",
    "msgpack",
    undefined,
    "app:",
    100,
    99,
    1,
    86_400_000,
    86_400_001,
    512 * 1024 * 1024,
  ),
);
const optionRecord = fc.array(fc.tuple(optionName, optionValue), { maxLength: 3 }).map((entries) => {
  const options: Record<string, unknown> = {};
  // As JSON.parse does it: `__proto__` as a property of its own.
  for (const [name, value] of entries)
    Object.defineProperty(options, name, { value, enumerable: true, configurable: true, writable: true });
  return options;
});

const optionsProperty = fc.property(fc.oneof({ weight: 5, arbitrary: optionRecord }, junk), (options) => {
  const verdict = settleNow("open()", () => open("memory:", options as OpenOptions));
  const known = typeof options === "object" && options !== null ? Object.entries(options) : undefined;
  const good =
    options === undefined ||
    (known?.every(
      ([name, value]) => Object.hasOwn(rules, name) && isAllowed(name as keyof OpenOptions, value),
    ) ??
      false);
  ok(good === "value" in verdict, `${visible(options)} is ${good ? "good" : "bad"}`);
  if ("code" in verdict) ok(verdict.code === "INVALID_ARGUMENT" && verdict.error.message.length < 600);
  else void (verdict.value as Store).close();
});

const isAllowed = (name: keyof OpenOptions, value: unknown): boolean =>
  value === undefined || rules[name](value);

export const options = pure("options", 0.07, optionsProperty);

// Targets with a password in them, right and wrong ones.

/** No part of it is in anything else that is shown. */
const passwordText = fc
  .tuple(fc.string({ unit: fc.constantFrom(..."aZ0@:/?#%[]$& é\\'\"".split("")), maxLength: 6 }), fc.nat(9))
  .map(([odd, at]) => `Pw${odd.slice(0, at)}qXv7kW${odd.slice(at)}`);
const core = "qXv7kW";
const scheme = fc.constantFrom(
  "redis",
  "rediss",
  "redis+unix",
  "REDIS",
  "http",
  "sqlite",
  "memory",
  "valkey",
  "",
);
const host = fc.constantFrom(
  "localhost",
  "127.0.0.1",
  "[::1]",
  "",
  "h o",
  "exa mple",
  "[::",
  "x:99999",
  "x:y",
  "é.example",
);
const tail = fc.constantFrom(
  "",
  ":6379",
  "/0",
  "/99999",
  "/x",
  "?db=1",
  "?password=1",
  "#f",
  ":1/2/3",
  "/%zz",
  " ",
  "\n",
);
const user = fc.constantFrom("", "app", "default", "a%zz", "%00");
const shape = fc.constantFrom("//", "//", "//", "", "/", "///");
const target = fc
  .tuple(scheme, shape, user, passwordText, fc.boolean(), host, tail)
  .map(([protocol, slashes, name, password, encode, at, rest]) => {
    const shown = encode ? encodeURIComponent(password) : password;
    return {
      password,
      text: `${protocol === "" ? "" : `${protocol}:`}${slashes}${name}:${shown}@${at}${rest}`,
    };
  });
const noTarget = junk.filter((value) => value !== undefined && !isUsable(value));

/** What `open` would take, if only by accident: a text, a URL, or what looks like a client. */
function isUsable(value: unknown): boolean {
  return typeof value === "string" || value instanceof URL;
}

const targetsProperty = fc.property(
  fc.oneof(
    { weight: 8, arbitrary: target },
    noTarget.map((value) => ({ password: "", text: value })),
  ),
  ({ text, password }) => {
    const verdicts = [settleNow("open()", () => open(text as string)), ...asUrl(text)];
    for (const verdict of verdicts) checkTarget(verdict, password);
  },
);

function asUrl(text: unknown): Verdict[] {
  if (typeof text !== "string" || !URL.canParse(text)) return [];
  return [settleNow("open()", () => open(new URL(text)))];
}

function checkTarget(verdict: Verdict, password: string): void {
  if ("code" in verdict) ok(verdict.code === "INVALID_ARGUMENT");
  const store = "value" in verdict ? (verdict.value as Store) : undefined;
  // A file or a socket may have any name, so that nobody can tell a password in it.
  if (password !== "" && !/^(sqlite:|redis\+unix:\/\/\/.*:Pw)/.test(store?.name ?? "")) {
    const seen =
      store === undefined ? visible((verdict as { error: Error }).error) : `${store.name} ${visible(store)}`;
    ok(!seen.includes(core), `a password is shown: ${seen}`);
  }
  void store?.close();
}

export const targets = pure("targets", 0.13, targetsProperty);
