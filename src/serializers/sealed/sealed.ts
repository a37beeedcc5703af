/**
 * Encrypts states before they leave the process, and refuses those that were changed outside of it.
 *
 * What `sealed` returns is a serializer in name only: a value is sealed for one id, which `serialize` does not get. The
 * store does it, with src/updates/codec.ts.
 */
import { InvalidArgumentError } from "../../errors.ts";
import { parseOptions, show } from "../../parse-options.ts";
import { serializer, type SerializerName } from "../named.ts";
import type { Serializer } from "../serializer.ts";
import { seal, unseal, type Keys } from "./envelope.ts";
import { parseKeys, type SealKey } from "./keys.ts";
import { sealingOf, withSealing } from "./sealing.ts";

/** Options of {@link sealed}. */
export interface SealOptions {
  /** The first key seals; the others only read what they have sealed. 1 to 100, each with an id of its own. */
  keys: readonly SealKey[];
}

/** Of the names of sealed serializers. */
export const sealedPrefix = "sealed-";
/** As for every serializer. */
const longestName = 32;

/**
 * Makes a serializer whose states are encrypted and authenticated with AES-256-GCM before they are stored.
 *
 * `inner` turns values into the bytes that are sealed: `"json"`, `"text"`, `"bytes"`, `"pickle"` or a serializer of your
 * own, whose name has at most 25 characters. The name that is stored is `sealed-` and that of `inner`.
 *
 * Use it as the `serializer` of `open()`, `store.state()` or `store.once()`. Its own `serialize` and `deserialize` throw
 * InvalidArgumentError, since a value is sealed for the id of its state. A value that was changed, moved to another id,
 * or sealed with a key that is not among `keys` is not read: the call rejects with SealError, and the value is left as it
 * is. An older value of the same id, put back by someone who can write to the store, is read as if it were the last one.
 *
 * A value that was sealed with another key than the first is sealed again by the next `update`, `run` or `transact` of
 * its state, also if that changes nothing, and by every save.
 *
 * Throws InvalidArgumentError for keys that cannot be used, without showing them.
 *
 * @example
 * ```ts
 * const serializer = sealed("json", { keys: [{ id: "2026-11", key: process.env["SEAL_KEY"] ?? "" }] });
 * const store = open("redis://localhost:6379", { serializer });
 * ```
 */
export function sealed(inner: SerializerName | Serializer, options: SealOptions): Serializer {
  const own = serializer(inner, "inner");
  const keys = keysOf(options);
  if (sealingOf(own) !== undefined)
    throw new InvalidArgumentError("inner is sealed already: list all keys in one sealed().");
  return sealedWith(own, keys);
}

/** What was given in the place of the options may be a key, so it is not shown. */
function keysOf(options: unknown): Keys {
  const given = typeof options === "object" && options !== null ? options : {};
  const { keys } = parseOptions<{ keys?: Keys }>("sealed()", given, { keys: parseKeys });
  if (keys !== undefined) return keys;
  throw new InvalidArgumentError(
    'sealed() needs { keys }: a list such as [{ id: "2026-11", key: process.env.SEAL_KEY }].',
  );
}

function sealedWith(inner: Serializer, keys: Keys): Serializer {
  const [first] = keys;
  const name = `${sealedPrefix}${inner.name}`;
  if (name.length > longestName)
    throw new InvalidArgumentError(
      `The name of inner must have at most ${longestName - sealedPrefix.length} characters, since "${sealedPrefix}" is put before it; got ${show(inner.name)}.`,
    );
  return withSealing(
    { name, serialize: refuse, deserialize: refuse },
    {
      inner,
      seal: (bytes, binding) => seal(bytes, first, binding),
      unseal: (bytes, binding) => unseal(bytes, keys, binding),
      withInner: (other) => sealedWith(other, keys),
    },
  );
}

function refuse(): never {
  throw new InvalidArgumentError(
    "A sealed serializer cannot be called or wrapped, since a value is sealed for the id of its state. Pass it as the " +
      "serializer of open(), state() or once(); a serializer of your own goes inside: sealed(yours, { keys }).",
  );
}
