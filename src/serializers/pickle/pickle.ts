/**
 * The serializer for Python's pickle: plain data, both ways, and no code.
 *
 * A pickle is a program. This reader has no instruction that imports, calls or fills anything of Python; what asks for it is
 * refused, with the name that it asked for. What is read is written back as the same types of Python [S6].
 */
import { isError, SerializationError, sentence } from "../../errors.ts";
import type { Serializer } from "../serializer.ts";
import { parsePickleOptions, type PickleOptions } from "./pickle-options.ts";
import { readPickle } from "./read/read-pickle.ts";
import { writePickle } from "./write/write-pickle.ts";

/**
 * Makes a serializer for pickles of plain data. Its name is `"pickle"`, whatever the options are: they decide what a pickle
 * is read as and how large it may be, not how it looks.
 *
 * `serialize` writes protocol 4, which Python 3.4 and later read. It throws SerializationError, with the path, for what a
 * pickle of plain data cannot keep. `deserialize` reads the protocols 0 to 5. It throws CorruptStateError, with the offset,
 * for everything else: other types, damaged bytes, and what is beyond a limit. It runs nothing.
 *
 * Throws InvalidArgumentError if an option is unknown or out of range.
 *
 * @example
 * ```ts
 * const lenient = createPickle({ floats: "numbers", maxDepth: 5000 });
 * const store = open("redis://localhost:6379", { serializer: lenient });
 * ```
 */
export function createPickle(options?: PickleOptions): Serializer {
  const settings = parsePickleOptions(options);
  const serializer: Serializer = {
    name: "pickle",
    serialize: (value) => keptExactly(() => writePickle(value, settings)),
    deserialize: (bytes) => readPickle(bytes, settings),
  };
  // Not enumerable: a serializer that is made by spreading this one must not inherit the property.
  return Object.freeze(Object.defineProperty(serializer, "isolated", { value: true }));
}

/**
 * Python's pickle, for plain data, with the default options of {@link createPickle}. Also `serializer: "pickle"`.
 *
 * @example
 * ```ts
 * const bytes = pickle.serialize({ ids: new Set([1, 2]), at: new Date() });
 * const value = pickle.deserialize(bytes);
 * ```
 */
export const pickle: Serializer = createPickle();

function keptExactly(write: () => Uint8Array): Uint8Array {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof SerializationError) throw cause;
    // A value too large for one buffer, or a proxy that throws.
    const reason = isError(cause) ? cause.message : "no reason given";
    throw new SerializationError(`Pickle cannot keep this value: ${sentence(reason)}`, { cause });
  }
}
