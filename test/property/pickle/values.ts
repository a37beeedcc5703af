// Random plain data of Python, as JavaScript has it: all types, shared parts and cycles.

import fc from "fast-check";

import {
  PyByteArray,
  PyDate,
  PyDateTime,
  PyFloat,
  PyFrozenSet,
  PyTime,
  PyTimeDelta,
  PyTimeZone,
  PyTuple,
} from "../../../src/pickle.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc
    .array(fc.constantFrom("\ud83d", "\ude00", "a", "é", "\n", "\\", "__proto__", "7", "long enough"), {
      maxLength: 4,
    })
    .map((pieces) => pieces.join("")),
  fc.integer({ min: 250, max: 260 }).map((length) => "é".repeat(length)),
);
const integer = fc.oneof(
  fc.integer(),
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }),
  fc.bigInt({ min: -(2n ** 2050n), max: -(2n ** 53n) }),
);
const float = fc
  .double()
  .map((value) => (Number.isInteger(value) && !Object.is(value, -0) ? new PyFloat(value) : value));
const integralFloat = fc
  .oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom(2 ** 53, 2 ** 64, 1e300))
  .map((value) => new PyFloat(value === 0 ? 0 : value));
const bytes = fc.uint8Array({ maxLength: 20 });

const span = fc
  .record({
    days: fc.integer({ min: -999_999_998, max: 999_999_998 }),
    seconds: fc.nat(86_399),
    microseconds: fc.nat(999_999),
  })
  .map((parts) => new PyTimeDelta(parts));
const zone = fc
  .tuple(
    fc.oneof(fc.constant(0), fc.integer({ min: -86_399, max: 86_399 })),
    fc.oneof(fc.constant(0), fc.nat(999_999)),
    fc.option(text),
  )
  .map(([seconds, microseconds, name]) => new PyTimeZone(new PyTimeDelta({ seconds, microseconds }), name));
const moment = fc
  .record({
    ...{ year: fc.integer({ min: 1, max: 9999 }), month: fc.integer({ min: 1, max: 12 }) },
    ...{ day: fc.integer({ min: 1, max: 28 }), hour: fc.nat(23), minute: fc.nat(59), second: fc.nat(59) },
    ...{
      microsecond: fc.nat(999_999),
      fold: fc.constantFrom(0 as const, 1 as const),
      tzinfo: fc.option(zone),
    },
  })
  .map((parts) => new PyDateTime(parts));
const date = fc.oneof(
  moment,
  moment.map(({ year, month, day }) => new PyDate(year, month, day)),
  moment.map((parts) => new PyTime(parts)),
  span,
  zone,
);

const simple = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 3, arbitrary: integer },
  { weight: 1, arbitrary: float },
  { weight: 1, arbitrary: integralFloat },
  { weight: 3, arbitrary: text },
  { weight: 1, arbitrary: bytes },
  { weight: 1, arbitrary: date },
);

/** What Python holds equal has the same text. Written independently of src/. */
export function equalityText(value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value).toString() : String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof PyFloat) return equalityText(value.value);
  if (value instanceof Uint8Array) return `bytes ${value.toString()}`;
  if (value instanceof PyTuple) return `(${value.items.map(equalityText).join()})`;
  if (value instanceof PyFrozenSet) return `{${[...value].map(equalityText).sort().join()}}`;
  if (value instanceof PyTimeZone) return `zone ${equalityText(value.offset)}`;
  if (value instanceof PyTimeDelta)
    return `span ${String(value.days)} ${String(value.seconds)} ${String(value.microseconds)}`;
  if (value instanceof PyDateTime && value.tzinfo !== null) return `at ${String(microsOf(value))}`;
  if (value instanceof PyDateTime || value instanceof PyDate || value instanceof PyTime)
    return `${value.constructor.name} ${value.toString()}`;
  return String(value);
}

function microsOf(value: PyDateTime): bigint {
  const offset = value.tzinfo!.offset;
  const micros = value.microsecond - offset.microseconds;
  const whole = value.toDate().getTime() - Math.floor(micros / 1000);
  return BigInt(whole) * 1000n + BigInt(micros);
}

const unique = { selector: equalityText, maxLength: 4 };

interface Tree {
  value: unknown;
  key: unknown;
}

const { value, key } = fc.letrec<Tree>((tie) => ({
  key: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    { weight: 4, arbitrary: simple },
    { weight: 1, arbitrary: fc.array(tie("key"), { maxLength: 4 }).map((items) => new PyTuple(items)) },
    { weight: 1, arbitrary: fc.uniqueArray(tie("key"), unique).map((members) => new PyFrozenSet(members)) },
  ),
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    { weight: 4, arbitrary: simple },
    { weight: 1, arbitrary: bytes.map((content) => new PyByteArray(content)) },
    { weight: 3, arbitrary: fc.array(tie("value"), { maxLength: 5 }) },
    { weight: 2, arbitrary: fc.array(tie("value"), { maxLength: 5 }).map((items) => new PyTuple(items)) },
    { weight: 3, arbitrary: fc.dictionary(text, tie("value"), { maxKeys: 4, noNullPrototype: true }) },
    { weight: 2, arbitrary: mapOf(tie("key"), tie("value")) },
    { weight: 2, arbitrary: fc.uniqueArray(tie("key"), unique).map((members) => new Set(members)) },
    { weight: 1, arbitrary: fc.uniqueArray(tie("key"), unique).map((members) => new PyFrozenSet(members)) },
  ),
}));

/** With a key that is not text, as a dict that is read as a Map has. */
function mapOf(keys: fc.Arbitrary<unknown>, items: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const entries = fc.array(fc.tuple(keys, items), { minLength: 1, maxLength: 4 });
  return entries.map((list) => {
    const seen = new Map(list.map((entry) => [equalityText(entry[0]), entry]));
    const isText = [...seen.values()].every(([first]) => typeof first === "string");
    return new Map(isText ? [...seen.values(), [null, 1]] : seen.values());
  });
}

/** References to put into lists: from one container to another, so that there are shared parts and cycles. */
const links = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 4 });

export const plainData: fc.Arbitrary<unknown> = fc.tuple(value, links).map(([root, wanted]) => {
  const all = containersIn(root);
  const lists = all.filter((container) => Array.isArray(container)) as unknown[][];
  for (const [from, to] of wanted) lists[from % lists.length]?.push(all[to % all.length]);
  return root;
});

export const plainKey: fc.Arbitrary<unknown> = key;

function containersIn(root: unknown): object[] {
  const found = new Set<object>();
  const visit = (item: unknown): void => {
    if (typeof item !== "object" || item === null || found.has(item)) return;
    if (Array.isArray(item) || item instanceof PyTuple || item instanceof Map) found.add(item);
    const isPlain = Object.getPrototypeOf(item) === Object.prototype;
    if (isPlain || item instanceof PyByteArray || item instanceof Set) found.add(item);
    if (Array.isArray(item)) item.forEach(visit);
    else if (item instanceof PyTuple) item.items.forEach(visit);
    else if (item instanceof Map) [...item.values()].forEach(visit);
    else if (isPlain) Object.values(item).forEach(visit);
  };
  visit(root);
  return [...found];
}
