/**
 * Reads the states of the Python library statefulpy, from its Redis keys or its SQLite file, which are only read, and puts
 * them into a store. Each is read as a value first, so that nothing arrives that could not be loaded.
 *
 * | its serializer | ours | what is stored |
 * |---|---|---|
 * | pickle | pickle | the same bytes |
 * | pickle, json | json | the value, if it is plain; a float such as 1.0 becomes 1 |
 * | json | pickle | the value |
 */
import { CorruptStateError, HoldfastError, UnavailableError } from "../../errors.ts";
import { defaults } from "../../options.ts";
import { json } from "../../serializers/json.ts";
import { createPickle, pickle } from "../../serializers/pickle/pickle.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { Core } from "../../statefulpy/core.ts";
import { redisPlace, sqlitePlace, type Place } from "../../statefulpy/places.ts";
import { pythonJson } from "../../statefulpy/python-json.ts";
import { isJsonInsteadOf } from "../../statefulpy/serializers.ts";
import type { Values } from "../command.ts";
import { UsageError } from "../exit-codes.ts";
import { sqliteFileOf } from "../store-options.ts";
import { storedId } from "./ids.ts";
import type { Importing } from "./import-lines.ts";
import { inOrder } from "./in-order.ts";
import { failed, putState, type Result } from "./put-state.ts";
import type { statefulpyOptions } from "./options.ts";
import type { Tally } from "./tally.ts";

type StatefulpyValues = Values<typeof statefulpyOptions>;

/** Where the states are, and how their bytes are changed. */
export interface Source {
  readonly place: Place;
  readonly conversion: Conversion;
}

interface Conversion {
  readonly from: Serializer;
  readonly to: Serializer;
}

/** Throws UsageError. */
export function sourceOf(values: StatefulpyValues): Source {
  if (values.from !== "statefulpy")
    throw new UsageError(
      "--from must be statefulpy, and the others of its options need it; a FILE is named without.",
    );
  return { place: placeOf(values), conversion: conversionOf(values) };
}

/** Puts all its states into the store. What is wrong with one of them is counted. */
export async function importStatefulpy(
  { place, conversion }: Source,
  { part, how, tally }: Importing,
): Promise<void> {
  const core = new Core({ place, serializer: conversion.from, leaseMs: defaults.leaseMs });
  const copy = async ({ id }: { readonly id: string }): Promise<Done> => {
    let size = 0;
    const result = await copyState(core, id, (bytes, stored) => {
      const wanted = { ...converted(bytes, conversion), expiresAt: null, above: 0 };
      size = wanted.bytes.length;
      return putState(part, { id: stored, wanted }, how);
    });
    return { id, result, isLarge: size > defaults.maxStateBytes };
  };
  try {
    for await (const { id, result, isLarge } of inOrder(idsOf(core, tally), () => 0, copy)) {
      if (result === undefined) continue;
      await tally.add(id, result);
      if (isLarge && result.outcome !== "failed")
        tally.remark(id, `it takes more than ${String(defaults.maxStateBytes)} bytes: ${whereToRaise}`);
    }
  } finally {
    await core.close();
  }
}

/** Each once, which a SCAN does not promise. What has no id is counted as failed. */
async function* idsOf(core: Core, tally: Tally): AsyncGenerator<{ readonly id: string }> {
  const seen = new Set<string>();
  const labels = new Set<string>();
  for await (const { entries, skipped = [] } of core.pages("")) {
    for (const label of skipped)
      if (labels.size !== labels.add(label).size)
        tally.fail(label, "it has no id: an id is text in UTF-8 that is not empty");
    for (const { id } of entries) if (seen.size !== seen.add(id).size) yield { id };
  }
}

/** `undefined`: it was gone by the time. */
interface Done {
  readonly id: string;
  readonly result: Result | undefined;
  /** A store with default options does not load it. */
  readonly isLarge: boolean;
}

const whereToRaise = "to load it, programs must open the store with a greater maxStateBytes";

async function copyState(
  core: Core,
  id: string,
  put: (bytes: Uint8Array, stored: string) => Promise<Result>,
): Promise<Result | undefined> {
  try {
    const stored = storedId({ id });
    const bytes = await core.loadBytes(id);
    return bytes === null ? undefined : await put(bytes, stored);
  } catch (error) {
    if (error instanceof HoldfastError && !(error instanceof UnavailableError)) return failed(error.message);
    throw error;
  }
}

/** Throws CorruptStateError or SerializationError. */
function converted(bytes: Uint8Array, { from, to }: Conversion): { bytes: Uint8Array; serializer: string } {
  const value = read(bytes, from);
  return { bytes: from.name === to.name ? bytes : to.serialize(value), serializer: to.name };
}

/** Its errors name the options of this command, not those of the library. */
function read(bytes: Uint8Array, from: Serializer): unknown {
  try {
    return from.deserialize(bytes);
  } catch (error) {
    if (!(error instanceof CorruptStateError)) throw error;
    const message = error.message
      .replace("pass { allowNaN: true }; it cannot be written back", "use --to-serializer pickle --allow-nan")
      .replace('use serializer: "pickle"', "use --serializer pickle");
    const advice = isJsonInsteadOf(from, bytes) ? "; it begins like JSON: then use --serializer json" : "";
    throw new CorruptStateError(`${message}${advice}`, { cause: error });
  }
}

function placeOf({ source, "source-prefix": prefix }: StatefulpyValues): Place {
  if (source === undefined) throw new UsageError("--source is needed: redis://…, or sqlite:PATH.");
  const file = sqliteFileOf(source);
  if (file === undefined) {
    const { operationMs } = defaults;
    return redisPlace({ url: source, client: undefined, prefix: prefix ?? "statefulpy:", operationMs });
  }
  if (prefix !== undefined)
    throw new UsageError("--source-prefix is for Redis; a SQLite file of statefulpy has no prefix.");
  if (file.isMissing) throw new UnavailableError(`There is no file ${file.path}.`, { lasting: true });
  return sqlitePlace(file.path, true);
}

function conversionOf(values: StatefulpyValues): Conversion {
  const { serializer, "to-serializer": to = serializer, "allow-nan": allowNaN = false } = values;
  for (const [name, value] of [
    ["--serializer", serializer],
    ["--to-serializer", to],
  ] as const)
    if (value !== "pickle" && value !== "json")
      throw new UsageError(
        `${name} must be pickle or json${name === "--serializer" ? ", as in the Python programs" : ""}.`,
      );
  if (allowNaN && (serializer !== "json" || to !== "pickle"))
    throw new UsageError(
      "--allow-nan needs --serializer json and --to-serializer pickle: our JSON has no NaN.",
    );
  if (serializer === "json") return { from: pythonJson({ allowNaN }), to: to === "json" ? json : pickle };
  return to === "json"
    ? { from: createPickle({ floats: "numbers" }), to: json }
    : { from: pickle, to: pickle };
}
