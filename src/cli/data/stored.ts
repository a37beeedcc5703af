/**
 * A stored state as the command line sees it: the bytes, and their value if they were written by a serializer that is
 * part of Holdfast.
 */
import type { StoredState } from "../../backends/contract.ts";
import { clause, CorruptStateError, SerializationError } from "../../errors.ts";
import * as names from "../../names.ts";
import { bytes } from "../../serializers/bytes.ts";
import { json } from "../../serializers/json.ts";
import { createPickle } from "../../serializers/pickle/pickle.ts";
import { sealedPrefix } from "../../serializers/sealed/sealed.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { text } from "../../serializers/text.ts";
import { Codec } from "../../updates/codec.ts";
import { parseFormat } from "../../updates/formats/format-name.ts";
import { stamp, type Opened } from "../store-options.ts";

/** By the names that are stored with states. What is shown is not written back, so a float may look like an int. */
const serializers: Readonly<Record<string, Serializer>> = {
  json,
  text,
  bytes,
  pickle: createPickle({ floats: "numbers" }),
};

export function stateId(text: string): string {
  return names.parseId(text, "A state's id");
}

/** The value of an option `--if-revision`. */
export function ifRevisionOf(text: string): number | "absent" {
  return text === "absent" ? text : stamp(text, "--if-revision");
}

/** `null`: the state is absent. Throws CorruptStateError if there is something else under its name. */
export async function readStored({ backend, calls }: Opened, id: string): Promise<StoredState | null> {
  const loaded = await calls.read({ doing: "Loading the state", id }, () =>
    backend.loadState(id, { expiry: true }),
  );
  if (loaded === null || !("unreadable" in loaded)) return loaded;
  throw new CorruptStateError(
    `The state ${JSON.stringify(id)} cannot be read: ${clause(loaded.unreadable)}.`,
    { id },
  );
}

/** Throws CorruptStateError if it was written by another serializer, is damaged, or is a pickle that JSON cannot say. */
export function valueOf(id: string, stored: StoredState): unknown {
  const { serializer } = parseFormat(stored.serializer);
  const known = Object.hasOwn(serializers, serializer) ? serializers[serializer] : undefined;
  if (known !== undefined) return asJson(id, new Codec(id, known, Infinity).valueOf(stored));
  if (serializer.startsWith(sealedPrefix))
    throw new CorruptStateError(
      `The state ${JSON.stringify(id)} is sealed ("${serializer}"), and this command has no keys. Use --raw to print what is stored.`,
      { id },
    );
  throw new CorruptStateError(
    `The state ${JSON.stringify(id)} was written by the serializer "${serializer}", which this command cannot read. ` +
      `Use --raw to print its bytes.`,
    { id },
  );
}

function asJson(id: string, value: unknown): unknown {
  try {
    json.serialize(value);
    return value;
  } catch (error) {
    if (!(error instanceof SerializationError)) throw error;
    throw new CorruptStateError(
      `The state ${JSON.stringify(id)} cannot be shown as JSON (${clause(error.message)}). Use --raw to print its bytes.`,
      { id, cause: error },
    );
  }
}
