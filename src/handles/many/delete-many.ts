/** Deletes many states. An id that is given twice is deleted once, and both of its places get that answer. */
import type { Durability } from "../../backends/contract.ts";
import * as parse from "../../options.ts";
import type { Session } from "../../session.ts";
import { Codec } from "../../updates/codec.ts";
import type { Scope } from "../scope.ts";
import type { Answer, Entry } from "./many-writes.ts";
import type { DeleteManyOptions, DeleteResult } from "./many.ts";
import { parseIds } from "./parse-ids.ts";
import { writeMany } from "./write-many.ts";

interface Options {
  grant?: unknown;
  waitMs?: number;
  signal?: AbortSignal;
  durability?: Durability;
}

export async function deleteMany(
  scope: Scope,
  given: Iterable<string>,
  options: DeleteManyOptions | undefined,
): Promise<DeleteResult[]> {
  const { session } = scope;
  const how = parse.parseOptions<Options>("deleteMany()", options, {
    grant: (value) => value,
    waitMs: parse.waitMs,
    signal: parse.signal,
    durability: session.settings.readDurability,
  });
  const keys = parseIds(scope, given, "deleteMany()");
  const each = [...new Set(keys)];
  const answers = await writeMany(session, deletesOf(session, each), { call: "deleteMany()", ...how });
  const answerOf = new Map(each.map((key, place) => [key, answers[place]]));
  return keys.map((key) => resultOf(scope.idOf(key), answerOf.get(key)));
}

/** Whatever serializer has written them. */
export function deletesOf({ settings }: Session, ids: readonly string[]): Entry[] {
  const { serializer, maxStateBytes } = settings;
  return ids.map((id) => ({
    id,
    codec: new Codec(id, serializer, maxStateBytes),
    write: { kind: "delete", ifRevision: undefined },
  }));
}

function resultOf(id: string, answer: Answer | undefined): DeleteResult {
  if (typeof answer === "object") return { id, deleted: undefined, error: answer };
  return { id, deleted: answer === true, error: undefined };
}
