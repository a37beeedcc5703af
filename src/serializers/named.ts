/**
 * The serializers that are part of the package, by the names that options take and that are stored with states.
 *
 * `"msgpack"` is none of them: it needs another package, so it is in an entry of its own, `holdfast/msgpack`.
 */
import { InvalidArgumentError } from "../errors.ts";
import { show, type Parser } from "../parse-options.ts";
import { bytes } from "./bytes.ts";
import { json } from "./json.ts";
import { pickle } from "./pickle/pickle.ts";
import { sealingOf } from "./sealed/sealing.ts";
import type { Serializer } from "./serializer.ts";
import { text } from "./text.ts";

/** What an option `serializer` takes besides a {@link Serializer}. */
export type SerializerName = "json" | "text" | "bytes" | "pickle";

const named: Readonly<Record<SerializerName, Serializer>> = { json, text, bytes, pickle };

/** One of ours by its name, or the user's own serializer. */
export const serializer: Parser<Serializer> = (value, name) => {
  if (typeof value === "string" && Object.hasOwn(named, value)) return named[value as SerializerName];
  if (value === "msgpack")
    throw new InvalidArgumentError(
      `${name}: MessagePack needs the package msgpackr. Run "npm install msgpackr", then pass { msgpack } of "holdfast/msgpack".`,
    );
  const own = value as Partial<Serializer> | null;
  if (typeof own?.serialize !== "function" || typeof own.deserialize !== "function") {
    throw new InvalidArgumentError(
      `${name} must be "json", "text", "bytes", "pickle" or an object with name, serialize(value) and deserialize(bytes); ` +
        `got ${show(value)}.`,
    );
  }
  if (typeof own.name !== "string" || !/^[A-Za-z0-9._-]{1,32}$/.test(own.name)) {
    throw new InvalidArgumentError(
      `A serializer's name is 1 to 32 characters of A-Z a-z 0-9 . _ -; got ${show(own.name)}.`,
    );
  }
  return own as Serializer;
};

/**
 * The serializer of records, which are objects: those of a once and of a leader. In a store of texts or bytes they are
 * JSON, sealed if the store's values are.
 */
export function forRecords(ofStore: Serializer): Serializer {
  const sealing = sealingOf(ofStore);
  if (!keepsNoObjects(sealing?.inner ?? ofStore)) return ofStore;
  return sealing === undefined ? json : sealing.withInner(json);
}

/** The option `serializer` of what keeps records. */
export const recordSerializer: Parser<Serializer> = (value, name) => {
  const own = serializer(value, name);
  if (!keepsNoObjects(sealingOf(own)?.inner ?? own)) return own;
  throw new InvalidArgumentError(
    `${name} cannot be ${show(own.name)}: what is remembered is an object that holds the result. Use "json".`,
  );
};

function keepsNoObjects(own: Serializer): boolean {
  return own === text || own === bytes;
}
