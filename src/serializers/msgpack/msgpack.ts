/**
 * The serializer for MessagePack, on the package msgpackr, which is an optional peer.
 *
 * msgpackr changes silently what MessagePack has no type for: sets become arrays, instances become maps, -0 becomes 0. So
 * each value is checked before it is written, and what was read is rebuilt and checked as well: what could not be
 * saved again is not loaded [S6]. Its extensions of the format (records, references, more types) are off: then equal
 * values give equal bytes, and other programs read them.
 */
import { Packr } from "msgpackr";

import { CorruptStateError, isError, sentence, SerializationError } from "../../errors.ts";
import type { Serializer } from "../serializer.ts";
import { checkKept } from "./check-kept.ts";
import { finish } from "./finish.ts";

const packr = new Packr({
  useRecords: false,
  variableMapSize: true, // the shortest form, as of other programs
  mapsAsObjects: false, // as an object, a key that is a number would become a text
  int64AsType: "bigint",
  moreTypes: false,
  structuredClone: false, // no references: they could make a small text a large value
  useToJSON: false,
});

/**
 * MessagePack: half the size of JSON for numbers and bytes, and read by programs in other languages.
 *
 * Kept: `null`, booleans, numbers, strings, arrays, objects without a class, `undefined` inside of them, bigints from −2⁶³
 * to 2⁶⁴−1, valid `Date`s and `Uint8Array`s. A `Buffer` comes back as a `Uint8Array`, an object without a prototype as an
 * ordinary one. Properties that are not enumerable, and those that a Date
 * or a Uint8Array was given, are left out. Keys keep their order.
 *
 * `serialize` refuses everything else with SerializationError, which names the path: `-0`, `Map`, `Set`, other typed
 * arrays, instances of classes, functions, symbols, getters, holes in arrays, cycles, lone surrogates, the key
 * `__proto__`, larger bigints, nesting deeper than 512, and more than 1 048 576 objects and arrays.
 *
 * `deserialize` refuses with CorruptStateError what is not MessagePack, and what it could not save again, such as a map
 * with keys that are no strings. 64-bit integers of other programs are read as bigints, and timestamps to the millisecond.
 *
 * @example
 * ```ts
 * const store = open("redis://localhost:6379", { serializer: msgpack });
 * await store.state("reading").save({ at: new Date(), samples: new Uint8Array([1, 2, 3]) });
 * ```
 */
export const msgpack: Serializer = Object.freeze({ name: "msgpack", serialize, deserialize });

function serialize(value: unknown): Uint8Array {
  checkKept(value);
  try {
    const { buffer, byteOffset, byteLength } = packr.pack(value);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw new SerializationError(`MessagePack cannot keep this value: ${sentence(messageOf(cause))}`, {
      cause,
    });
  }
}

function deserialize({ buffer, byteOffset, byteLength }: Uint8Array): unknown {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength); // of a Buffer, msgpackr would return Buffers
  let read: unknown;
  try {
    read = packr.unpack(bytes);
  } catch {
    // Not as the cause: its message may have parts of the value.
    throw new CorruptStateError(
      "the stored data is not one value in MessagePack, or has types that cannot be kept",
    );
  }
  return finish(read, bytes);
}

function messageOf(cause: unknown): string {
  return isError(cause) ? cause.message : "no reason given";
}
