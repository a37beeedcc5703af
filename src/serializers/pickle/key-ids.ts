/**
 * Which values are one key for Python: 1, 1.0 and True; equal tuples and frozen sets; the same point in time.
 *
 * Each class of equal values gets a number. Tuples and frozen sets are looked into once, without recursion, and known
 * again by identity; so many shared parts take no longer than few.
 */
import { latin1 } from "./utf8.ts";
import { PyFloat, PyFrozenSet, PyTuple } from "./python/collections.ts";
import { PyDate, PyDateTime, PyTime } from "./python/dates.ts";
import { PyTimeDelta, PyTimeZone } from "./python/spans.ts";

type Compound = PyTuple | PyFrozenSet;

interface Visit {
  readonly compound: Compound;
  readonly parts: readonly unknown[];
  readonly ids: number[];
}

/** The numbers that have been given so far. */
export class KeyIds {
  readonly #texts = new Map<string, number>();
  readonly #strings = new Map<string, number>();
  readonly #compounds = new Map<Compound, number>();
  /** By identity: the same bytes may be a key many times. */
  readonly #bytes = new Map<Uint8Array, number>();
  readonly #countDigits: (count: number) => void;
  #next = 0;

  /** `countDigits` is told how long the integers are that it has to look at. */
  constructor(countDigits: (count: number) => void = () => undefined) {
    this.#countDigits = countDigits;
  }

  /** Two values have the same id if Python holds them equal. `undefined`: it cannot be a key. */
  idOf(value: unknown): number | undefined {
    return isCompound(value) ? this.#idOfCompound(value) : this.#idOfSimple(value);
  }

  #idOfCompound(root: Compound): number | undefined {
    const visits: Visit[] = [];
    let known = this.#compounds.get(root);
    if (known === undefined) visits.push(visit(root));
    for (let top = visits.at(-1); top !== undefined; top = visits.at(-1)) {
      if (top.ids.length === top.parts.length) {
        known = this.#close(top);
        visits.pop();
        visits.at(-1)?.ids.push(known);
        continue;
      }
      const part = top.parts[top.ids.length];
      const id = isCompound(part) ? this.#compounds.get(part) : this.#idOfSimple(part);
      if (id !== undefined) top.ids.push(id);
      else if (isCompound(part)) visits.push(visit(part));
      else return undefined;
    }
    return known;
  }

  #close({ compound, ids }: Visit): number {
    const isTuple = compound instanceof PyTuple;
    const id = this.#numbered(isTuple ? `(${ids.join()}` : `{${ids.sort((a, b) => a - b).join()}`);
    this.#compounds.set(compound, id);
    return id;
  }

  #idOfSimple(value: unknown): number | undefined {
    if (typeof value === "string") return this.#numbered(value, this.#strings);
    if (value instanceof Uint8Array) return this.#idOfBytes(value);
    const text = textOf(value);
    if (typeof value === "bigint") this.#countDigits(text?.length ?? 0);
    return text === notANumber ? this.#fresh() : text === undefined ? undefined : this.#numbered(text);
  }

  #idOfBytes(bytes: Uint8Array): number {
    const known = this.#bytes.get(bytes);
    if (known !== undefined) return known;
    const id = this.#numbered(`b${latin1(bytes)}`);
    this.#bytes.set(bytes, id);
    return id;
  }

  #numbered(text: string, numbers = this.#texts): number {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    const id = this.#fresh();
    numbers.set(text, id);
    return id;
  }

  #fresh(): number {
    this.#next += 1;
    return this.#next;
  }
}

/** Equal to nothing, itself included. */
const notANumber = "nan";

function isCompound(value: unknown): value is Compound {
  return value instanceof PyTuple || value instanceof PyFrozenSet;
}

function visit(compound: Compound): Visit {
  return { compound, parts: compound instanceof PyTuple ? compound.items : [...compound.members], ids: [] };
}

/** A text for each class of equal values; `undefined` for what Python cannot hash. Begins with a letter. */
function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return textOfNumber(value);
    case "bigint":
      return `i${value.toString(16)}`;
    case "boolean":
      return value ? "i1" : "i0";
    default:
      return value === null ? "none" : textOfObject(value);
  }
}

function textOfNumber(value: number): string {
  if (Number.isSafeInteger(value)) return `i${value.toString(16)}`;
  if (Number.isInteger(value)) return `i${BigInt(value).toString(16)}`;
  return Number.isNaN(value) ? notANumber : `f${value}`;
}

function textOfObject(value: unknown): string | undefined {
  if (value instanceof PyFloat) return textOfNumber(value.value);
  if (value instanceof PyDate) return `d${value.toString()}`;
  if (value instanceof PyDateTime) return textOfDateTime(value);
  if (value instanceof Date) return textOfDateTime(PyDateTime.fromDate(value));
  if (value instanceof PyTime) return textOfTime(value);
  if (value instanceof PyTimeDelta) return `D${value.days} ${value.seconds} ${value.microseconds}`;
  return value instanceof PyTimeZone ? `z${value.toString()}` : undefined;
}

/** Aware ones are equal if they are the same point in time; the fold does not count. */
function textOfDateTime(value: PyDateTime): string {
  if (value.tzinfo === null) return `n${value.toString()}`;
  const { microseconds } = value.tzinfo.offset;
  const micros = (((value.microsecond - microseconds) % 1000) + 1000) % 1000;
  return `a${value.toDate().getTime()} ${micros}`;
}

function textOfTime({ hour, minute, second, microsecond, tzinfo }: PyTime): string {
  const micros = ((hour * 60 + minute) * 60 + second) * 1e6 + microsecond;
  if (tzinfo === null) return `l${micros}`;
  const { days, seconds, microseconds } = tzinfo.offset;
  // CPython hashes the whole offset, and compares without its microseconds.
  return `u${micros - (days * 86_400 + seconds) * 1e6 - microseconds} ${microsecond}`;
}
