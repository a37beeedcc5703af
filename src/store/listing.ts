/** Listings: page by page; each page is requested only when the previous one has been used up. */
import type { ListRequest, Page, StateCount, StateEntry, StoredState } from "../backends/contract.ts";
import type { Scope } from "../handles/scope.ts";
import type { Session } from "../session.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { HoldfastError, InvalidArgumentError } from "../errors.ts";
import * as parse from "../options.ts";
import type { ListOptions } from "../options.ts";
import * as names from "../names.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { Codec } from "../updates/codec.ts";
import { stateInfo, type StateInfo } from "./state-info.ts";
import { parseStatesOptions } from "./states-options.ts";
import type { StatesOptions, StateWithValue } from "./states-options.ts";

/** The number of entries that a listing requests at a time. */
const pageSize = 500;

interface Listing<Entry> {
  readonly request: Pick<ListRequest, "idPrefix" | "order" | "values">;
  /** Where the first page begins. */
  readonly after?: string | undefined;
  /** How many entries at most. */
  readonly limit?: number | undefined;
  readonly page: (cursor: string | null, request: ListRequest) => Promise<Page<Entry>>;
}

export function list<Entry extends { readonly id: string }>(
  scope: Scope,
  { call, options }: { readonly call: string; readonly options: ListOptions | undefined },
  page: Listing<Entry>["page"],
): AsyncIterable<Entry> {
  const { idPrefix = scope.prefix } = parse.parseOptions<ListOptions>(call, options, {
    idPrefix: scope.idPrefix,
  });
  return shown(scope, entriesOf(scope.session, { request: { idPrefix }, page }));
}

/** `store.states()`. */
export function listStates(
  scope: Scope,
  options: StatesOptions | undefined,
): AsyncIterable<StateInfo | StateWithValue<unknown>> {
  const { session } = scope;
  const { values = false, limit, after, order, serializer, ...given } = parseStatesOptions(scope, options);
  const { idPrefix = scope.prefix } = given;
  const request = { idPrefix, values, order: order ?? (after === undefined ? undefined : ("asc" as const)) };
  const entries = entriesOf(session, { request, after, limit, page: inOrderIfKept(session) });
  return shown(
    scope,
    values ? withValues(entries, session, serializer ?? session.settings.serializer) : infos(entries),
  );
}

/**
 * Without an order, that of the ids where there is one: otherwise, a first page with a `limit` and the next one with `after`
 * would leave out states of a store with shards. A backend that keeps none says so, before it asks for anything. An order
 * also allows to begin after the internal ids, of which there may be many more than a page.
 */
function inOrderIfKept({ backend }: Session): Listing<StateEntry>["page"] {
  let keepsOrder = true;
  return async (cursor, request) => {
    const order = request.order ?? "asc";
    const isFirst = cursor === null && order === "asc" && request.idPrefix === "";
    try {
      if (keepsOrder)
        return await backend.listStates(isFirst ? names.afterInternal : cursor, { ...request, order });
    } catch (error) {
      if (request.order !== undefined || cursor !== null || !(error instanceof InvalidArgumentError))
        throw error;
      keepsOrder = false;
    }
    return backend.listStates(cursor, request);
  };
}

/** `store.count()`. Where only a listing can tell, it is counted by one. */
export async function countStates(scope: Scope, options: ListOptions | undefined): Promise<StateCount> {
  const { session } = scope;
  const { idPrefix = scope.prefix } = parse.parseOptions<ListOptions>("count()", options, {
    idPrefix: scope.idPrefix,
  });
  session.admit();
  const known = await session.calls.read("Counting", () => session.backend.countStates(idPrefix));
  if (known !== null) return known;
  let count = 0;
  const page: Listing<StateEntry>["page"] = (...args) => session.backend.listStates(...args);
  for await (const { id } of entriesOf(session, { request: { idPrefix }, page })) if (id !== "") count += 1;
  return { count, exact: false };
}

/** With the ids that the view has. */
async function* shown<Entry extends { readonly id: string }>(
  scope: Scope,
  entries: AsyncIterable<Entry>,
): AsyncGenerator<Entry> {
  for await (const entry of entries) yield { ...entry, id: scope.idOf(entry.id) };
}

async function* infos(entries: AsyncIterable<StateEntry>): AsyncGenerator<StateInfo> {
  for await (const entry of entries) yield stateInfo(entry);
}

async function* entriesOf<Entry extends { readonly id: string }>(
  session: Session,
  { request, after, limit = Infinity, page }: Listing<Entry>,
): AsyncGenerator<Entry> {
  const seen = new Set<string>(); // without an order, a backend may name an entry again on a later page
  let [cursor, left]: [string | null, number] = [after ?? null, limit];
  do {
    const from: string | null = cursor;
    const asked = { ...request, limit: Math.min(pageSize, left) };
    const answer: Page<Entry> = await withCallersStack(() => {
      session.admit();
      return session.calls.read("Listing", () => page(from, asked));
    });
    for (const entry of answer.entries) {
      if (names.isInternal(entry.id)) {
        if (request.order === "desc") return; // all that follow are internal, too
        continue;
      }
      if (request.order === undefined && seen.size === seen.add(entry.id).size) continue;
      left -= 1;
      yield entry;
      if (left === 0) return;
    }
    cursor = answer.cursor;
  } while (cursor !== null);
}

async function* withValues(
  entries: AsyncIterable<StateEntry>,
  session: Session,
  serializer: Serializer,
): AsyncGenerator<StateWithValue<unknown>> {
  const { maxStateBytes } = session.settings;
  for await (const { content = new Uint8Array(), ...entry } of entries) {
    const codec = new Codec(entry.id, serializer, maxStateBytes);
    yield { ...stateInfo(entry), ...valueOf(codec, { ...entry, bytes: content }) };
  }
}

/** What cannot be read is neither left out nor the end of the listing: its entry has the error. */
function valueOf(codec: Codec, state: StoredState): { value: unknown } | { error: HoldfastError } {
  try {
    const stored = codec.readable(state);
    return { value: stored === null ? undefined : codec.valueOf(stored) };
  } catch (error) {
    if (error instanceof HoldfastError) return { error };
    throw error;
  }
}
