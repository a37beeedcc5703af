/**
 * Values of Python that JavaScript has no type for: floats with an integral value, tuples, frozen sets, byte arrays.
 *
 * They are plain holders. Like every object, they are equal in a `Map` or `Set` only to themselves.
 */
import { InvalidArgumentError } from "../../../errors.ts";

/**
 * A Python `float`, where a JavaScript number would be taken for an `int`: 1.0 is `new PyFloat(1)`.
 *
 * A number that is not integral, such as 0.5, needs none, and is never read as one.
 *
 * @example
 * ```ts
 * pickle.serialize({ ratio: new PyFloat(1) }); // {'ratio': 1.0}
 * ```
 */
export class PyFloat {
  /** The number. */
  readonly value: number;

  /** Throws InvalidArgumentError if `value` is not a number. */
  constructor(value: number) {
    if (typeof value !== "number") throw new InvalidArgumentError("PyFloat takes a number.");
    this.value = value;
  }

  /** So that it can be used in arithmetic. */
  valueOf(): number {
    return this.value;
  }
}

/**
 * A Python `tuple`.
 *
 * @example
 * ```ts
 * const point = new PyTuple([3, 4]);
 * const [x, y] = point.items;
 * ```
 */
export class PyTuple implements Iterable<unknown> {
  /** Frozen. */
  readonly items: readonly unknown[];

  /** Takes the items of any iterable, and copies them. Throws InvalidArgumentError if it is not one. */
  constructor(items: Iterable<unknown> = []) {
    this.items = Object.freeze([...iterable("PyTuple", items)]);
  }

  /** Iterates over the items. */
  [Symbol.iterator](): Iterator<unknown> {
    return this.items[Symbol.iterator]();
  }
}

/**
 * A Python `frozenset`. A `Set` is a Python `set`.
 *
 * @example
 * ```ts
 * const roles = new PyFrozenSet(["reader", "writer"]);
 * roles.members.has("reader");
 * ```
 */
export class PyFrozenSet implements Iterable<unknown> {
  /** Its members. */
  readonly members: ReadonlySet<unknown>;

  /** Takes the members of any iterable, and copies them. Throws InvalidArgumentError if it is not one. */
  constructor(members: Iterable<unknown> = []) {
    this.members = new Set(iterable("PyFrozenSet", members));
  }

  /** Iterates over the members. */
  [Symbol.iterator](): Iterator<unknown> {
    return this.members[Symbol.iterator]();
  }
}

/**
 * A Python `bytearray`. A `Uint8Array` is Python's `bytes`.
 *
 * @example
 * ```ts
 * const buffer = new PyByteArray(new Uint8Array([1, 2, 3]));
 * ```
 */
export class PyByteArray {
  /** May be changed. */
  readonly bytes: Uint8Array;

  /** Keeps `bytes`, without copying them. Throws InvalidArgumentError if it is not a Uint8Array. */
  constructor(bytes: Uint8Array) {
    if (!(bytes instanceof Uint8Array)) throw new InvalidArgumentError("PyByteArray takes a Uint8Array.");
    this.bytes = bytes;
  }
}

function iterable(what: string, value: unknown): Iterable<unknown> {
  if (typeof value === "object" && value !== null && Symbol.iterator in value)
    return value as Iterable<unknown>;
  throw new InvalidArgumentError(`${what} takes one iterable of its values, such as new ${what}([1, 2]).`);
}
