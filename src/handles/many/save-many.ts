/** Saves many states. All entries are checked and serialized before anything is sent: a mistake writes nothing. */
import type { Durability, Ttl } from "../../backends/contract.ts";
import { InvalidArgumentError, quoted } from "../../errors.ts";
import { lifeOf, lifeParsers } from "../../life-options.ts";
import * as parse from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { Codec } from "../../updates/codec.ts";
import type { Scope } from "../scope.ts";
import type { SaveEntry, SaveManyOptions, SaveResult } from "./many.ts";
import { parseIterable } from "./parse-ids.ts";
import { writeMany } from "./write-many.ts";
import type { Entry } from "./many-writes.ts";

interface Options {
  serializer?: Serializer;
  ttlMs?: Ttl;
  expiresAt?: number;
  grant?: unknown;
  waitMs?: number;
  signal?: AbortSignal;
  durability?: Durability;
}

export async function saveMany(
  scope: Scope,
  given: Iterable<SaveEntry>,
  options: SaveManyOptions | undefined,
): Promise<SaveResult[]> {
  const { settings } = scope.session;
  const own = parse.parseOptions<Options>("saveMany()", options, {
    serializer: parse.serializer,
    ...lifeParsers,
    grant: (value) => value,
    waitMs: parse.waitMs,
    signal: parse.signal,
    durability: settings.readDurability,
  });
  const { serializer = settings.serializer, ttlMs, expiresAt, ...how } = own;
  const usual = lifeOf("saveMany()", { ttlMs, expiresAt }) ?? "keep";
  const seen = new Set<string>();
  const entries = parseIterable(given, "saveMany() takes entries").map((one): Entry => {
    const entry = parseEntry(scope, one);
    const { key, ifRevision } = entry;
    if (seen.size === seen.add(key).size) throw twice(key);
    const codec = new Codec(key, serializer, settings.maxStateBytes);
    const bytes = codec.encode(entry.value); // now: later changes by the caller are not saved
    const save = { bytes, ttlMs: lifeOf("An entry of saveMany()", entry) ?? usual, ifRevision };
    return { id: key, codec, save, write: { ...codec.toSave(bytes, save.ttlMs), ifRevision } };
  });
  const answers = await writeMany(scope.session, entries, { call: "saveMany()", ...how });
  return entries.map(({ id: key }, place): SaveResult => {
    const id = scope.idOf(key);
    const answer = answers[place];
    if (typeof answer === "number") return { id, revision: answer, error: undefined };
    if (typeof answer === "object") return { id, revision: undefined, error: answer };
    throw new Error("HOLDFAST_SAVE_WITHOUT_REVISION: of many");
  });
}

interface ParsedEntry {
  readonly key: string;
  readonly value?: unknown;
  readonly ifRevision?: number | "absent";
  readonly ttlMs?: Ttl;
  readonly expiresAt?: number;
}

function parseEntry(scope: Scope, given: unknown): ParsedEntry {
  const { id, ...parsed } = parse.parseOptions<Omit<ParsedEntry, "key"> & { id: unknown }>(
    "An entry of saveMany()",
    given ?? {},
    entryParsers,
  );
  return { ...parsed, key: scope.key(id, "A state's id") };
}

const entryParsers = {
  id: (value: unknown) => value,
  value: (value: unknown) => value,
  ifRevision: parse.ifRevision,
  ...lifeParsers,
};

function twice(id: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `saveMany() got ${quoted(id)} twice, and which of the two values would stay is not decided. Nothing was written: ` +
      `pass each id once.`,
  );
}
