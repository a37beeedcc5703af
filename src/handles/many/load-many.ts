/** Loads many states: each is answered by itself, and an outage rejects the whole call. */
import type { LoadedState } from "../../backends/contract.ts";
import { asCallerSees } from "../../caller-stacks.ts";
import { forEachOf } from "../../calls/each-of.ts";
import { HoldfastError } from "../../errors.ts";
import * as parse from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { Codec } from "../../updates/codec.ts";
import { chunksOf, subjectOf } from "./chunks.ts";
import type { Scope } from "../scope.ts";
import type { LoadManyOptions, LoadResult } from "./many.ts";
import { parseIds } from "./parse-ids.ts";

export async function loadMany<T>(
  scope: Scope,
  given: Iterable<string>,
  options: LoadManyOptions | undefined,
): Promise<LoadResult<T>[]> {
  const { session } = scope;
  const { settings, backend, calls, locks } = session;
  const parsed = parse.parseOptions<{ serializer?: Serializer }>("loadMany()", options, {
    serializer: parse.serializer,
  });
  const serializer = parsed.serializer ?? settings.serializer;
  const keys = parseIds(scope, given, "loadMany()");
  session.admit();
  const ahead = keys.flatMap((key) => locks.writesAhead(key) ?? []);
  if (ahead.length > 0) await Promise.all(ahead);
  const results: LoadResult<T>[] = [];
  await forEachOf(chunksOf(keys, backend), async (places) => {
    const wanted = places.map((place) => keys[place] ?? "");
    const loaded = await calls.read(subjectOf("Loading", wanted), () => backend.loadStates(wanted));
    for (const [nth, place] of places.entries()) {
      const key = wanted[nth] ?? "";
      const codec = new Codec(key, serializer, settings.maxStateBytes);
      results[place] = resultOf<T>(scope.idOf(key), codec, loaded[nth] ?? null);
    }
  });
  return results;
}

function resultOf<T>(id: string, codec: Codec, loaded: LoadedState): LoadResult<T> {
  try {
    const stored = codec.readable(loaded);
    if (stored === null) return { id, value: undefined, revision: null, error: undefined };
    return { id, value: codec.valueOf(stored) as T, revision: stored.revision, error: undefined };
  } catch (error) {
    if (error instanceof HoldfastError) return { id, value: undefined, revision: undefined, error };
    throw error;
  }
}

/** The errors among the results get the stack of the caller. Call it in the caller's own async call. */
export function asCallerSeesAll(results: { error: HoldfastError | undefined }[]): void {
  const seen = new Map<HoldfastError, HoldfastError>();
  for (const result of results) {
    const { error } = result;
    if (error === undefined) continue;
    const known = seen.get(error) ?? (asCallerSees(error) as HoldfastError);
    seen.set(error, known);
    result.error = known;
  }
}
