/** Listings: page by page; each page is requested only when the previous one has been used up. */
import type { ListRequest, Page, StateCount, StateEntry } from "../backends/contract.ts";
import type { Session } from "../session.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { CorruptStateError } from "../errors.ts";
import * as parse from "../options.ts";
import type { ListOptions } from "../options.ts";
import * as names from "../names.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { Codec } from "../updates/codec.ts";
import { parseStatesOptions } from "./states-options.ts";
import type { StateInfo, StatesOptions, StateWithValue } from "./states-options.ts";

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
  session: Session,
  { call, options }: { readonly call: string; readonly options: ListOptions | undefined },
  page: Listing<Entry>["page"],
): AsyncIterable<Entry> {
  const { idPrefix = "" } = parse.parseOptions<ListOptions>(call, options, { idPrefix: names.idPrefix });
  return entriesOf(session, { request: { idPrefix }, page });
}

/** `store.states()`. */
export function listStates(
  session: Session,
  options: StatesOptions | undefined,
): AsyncIterable<StateInfo | StateWithValue<unknown>> {
  const { idPrefix = "", values = false, limit, after, order, serializer } = parseStatesOptions(options);
  const isOrdered = order !== undefined || after !== undefined;
  const request = { idPrefix, values, order: isOrdered ? (order ?? ("asc" as const)) : undefined };
  const page: Listing<StateEntry>["page"] = (...args) => session.backend.listStates(...args);
  const entries = entriesOf(session, { request, after, limit, page });
  return values ? withValues(entries, session, serializer ?? session.settings.serializer) : entries;
}

/** `store.count()`. Where only a listing can tell, it is counted by one. */
export async function countStates(session: Session, options: ListOptions | undefined): Promise<StateCount> {
  const { idPrefix = "" } = parse.parseOptions<ListOptions>("count()", options, { idPrefix: names.idPrefix });
  session.admit();
  const known = await session.calls.read("Counting", () => session.backend.countStates(idPrefix));
  if (known !== null) return known;
  let count = 0;
  const page: Listing<StateEntry>["page"] = (...args) => session.backend.listStates(...args);
  for await (const { id } of entriesOf(session, { request: { idPrefix }, page })) if (id !== "") count += 1;
  return { count, exact: false };
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
      if (names.isInternal(entry.id)) continue;
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
  for await (const { content = new Uint8Array(), ...info } of entries) {
    const codec = new Codec(info.id, serializer, maxStateBytes);
    yield { ...info, ...valueOf(codec, { ...info, bytes: content }) };
  }
}

/** What cannot be read is neither left out nor the end of the listing: its entry has the error. */
function valueOf(
  codec: Codec,
  state: { readonly revision: number; readonly serializer: string; readonly bytes: Uint8Array },
): { value: unknown } | { error: CorruptStateError } {
  try {
    codec.readable(state);
    return { value: codec.decode(state.bytes) };
  } catch (error) {
    if (error instanceof CorruptStateError) return { error };
    throw error;
  }
}
