/**
 * The serializer "text": a state is one string, stored as its UTF-8, with no quotes and no escapes.
 *
 * Other programs read it as it is. A string that UTF-8 cannot say (lone surrogates) is refused, and so are bytes that
 * are not UTF-8 [S6].
 */
import { Buffer } from "node:buffer";

import { CorruptStateError, SerializationError } from "../errors.ts";
import { show } from "../parse-options.ts";
import type { Serializer } from "./serializer.ts";

// "ignoreBOM" leaves a byte order mark in the text: the same bytes are written again.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// "isolated" is not enumerable: a serializer that is made by spreading this one must not inherit it.
export const text: Serializer = Object.freeze(
  Object.defineProperty({ name: "text", serialize, deserialize }, "isolated", { value: true }),
);

function serialize(value: unknown): Uint8Array {
  if (typeof value !== "string")
    throw new SerializationError(
      `The serializer "text" keeps strings only; got ${show(value)}. Use the serializer "json" for other values.`,
    );
  if (!value.isWellFormed())
    throw new SerializationError(
      `The serializer "text" cannot keep a lone surrogate, which UTF-8 has no bytes for. ` +
        `Remove it with toWellFormed(), or keep the text as bytes.`,
    );
  const { buffer, byteOffset, byteLength } = Buffer.from(value, "utf8");
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function deserialize(bytes: Uint8Array): unknown {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CorruptStateError("the stored data is not valid UTF-8, and so no text", { cause });
  }
}
