/** From the options `serializer` and `allowNaN` to a serializer. */
import {
  clause,
  CorruptStateError,
  HoldfastError,
  InvalidArgumentError,
  isError,
  quoted,
  SerializationError,
} from "../errors.ts";
import * as parse from "../options.ts";
import { pickle } from "../serializers/pickle/pickle.ts";
import { sealingOf } from "../serializers/sealed/sealing.ts";
import type { Serializer } from "../serializers/serializer.ts";
import type { BackendOptions } from "./options.ts";
import { pythonJson } from "./python-json.ts";

export function serializerOf({ serializer = "pickle", allowNaN }: BackendOptions): Serializer {
  if (serializer === "json") return pythonJson({ allowNaN });
  if (allowNaN !== undefined) throw new InvalidArgumentError('allowNaN applies only to serializer: "json".');
  if (serializer === "pickle") return pickle;
  return own(serializer);
}

function own(value: unknown): Serializer {
  const found = typeof value === "object" ? parse.serializer(value, "serializer") : undefined;
  if (found !== undefined && sealingOf(found) !== undefined)
    throw new InvalidArgumentError(
      "serializer must not be sealed: Python programs could not read the states. Seal them in a store of open().",
    );
  if (found !== undefined) return found;
  throw new InvalidArgumentError(
    `serializer must be "pickle", "json" or a serializer of your own; got ${parse.show(value)}.`,
  );
}

/** [S1] `null` is what an absent state loads as, so it is no state. */
export function encode(serializer: Serializer, id: string, value: unknown): Uint8Array {
  if (value === null || value === undefined)
    throw new InvalidArgumentError(
      `A state cannot be ${String(value)}: loadState() gives null for an absent one. Save {} for an empty state.`,
    );
  let bytes: unknown;
  try {
    bytes = serializer.serialize(value);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw refused(id, isError(cause) ? cause.message : String(cause), cause);
  }
  if (bytes instanceof Uint8Array) return serializer.isolated === true ? bytes : new Uint8Array(bytes);
  throw refused(
    id,
    `serialize() of ${JSON.stringify(serializer.name)} returned ${parse.show(bytes)}, not bytes`,
  );
}

function refused(id: string, why: string, cause?: unknown): SerializationError {
  return new SerializationError(`The state ${quoted(id)} cannot be saved: ${clause(why)}.`, { id, cause });
}

/** [S6] What cannot be read is refused, and left as it is. */
export function decode(serializer: Serializer, id: string, bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = serializer.deserialize(serializer.isolated === true ? bytes : new Uint8Array(bytes));
  } catch (cause) {
    const message = isError(cause) ? cause.message : String(cause);
    const advice = isJsonInsteadOf(serializer, bytes)
      ? ' It begins like JSON, which Python\'s @stateful writes by default: then use serializer: "json".'
      : "";
    throw new CorruptStateError(
      `The state ${quoted(id)} cannot be read with serializer ${JSON.stringify(serializer.name)}: ${clause(message)}. It was left as it is.${advice}`,
      { id, cause },
    );
  }
  if (value !== null && value !== undefined) return value;
  throw new CorruptStateError(
    `The state ${quoted(id)} is Python's None, which cannot be told from an absent state. It was left as it is.`,
    { id },
  );
}

/** Whether pickles were expected, and these bytes begin as JSON does and no pickle can: with a brace, a bracket or a quote. */
export function isJsonInsteadOf({ name }: Serializer, [first = 0]: Uint8Array): boolean {
  return name === pickle.name && '{["'.includes(String.fromCharCode(first));
}
