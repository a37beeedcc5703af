/**
 * Listings of what is in maps, page by page in the order of ids. The cursor is the last id, so that concurrent changes do
 * not shift other entries.
 */
import { internalMark } from "../../errors.ts";
import { compareIds } from "../../ids/id-order.ts";
import type { ListRequest, Order, Page, StateCount, StateEntry } from "../contract.ts";
import { markId } from "../shard-mark.ts";
import { copy, type Memory } from "./tables.ts";

/** A page ends when the values in it are this large together: a caller keeps a whole page. */
const pageBytes = 4 * 1024 * 1024;

/** What is left of a listing: sorted once, since to sort everything for each page would take most of the time. */
interface Rest {
  readonly cursor: string;
  readonly idPrefix: string;
  readonly order: Order;
  readonly ids: readonly string[];
  readonly from: number;
}

/** The keys of a map, in pages. */
export class OrderedIds {
  readonly #ids: () => Iterable<string>;
  /** Of the last page. Ids that are new since then may be missing from the next one. */
  #rest: Rest | undefined;

  constructor(ids: () => Iterable<string>) {
    this.#ids = ids;
  }

  page<Entry>(
    cursor: string | null,
    request: ListRequest,
    entryOf: (id: string) => Entry | null,
  ): Page<Entry> {
    const { limit, idPrefix, order = "asc" } = request;
    const { ids, from } = this.#idsAfter(cursor, { idPrefix, order });
    const entries: Entry[] = [];
    let [at, bytes] = [from, 0];
    while (at < ids.length && at - from < limit && bytes < pageBytes) {
      const entry = entryOf(ids[at] ?? "");
      at += 1;
      if (entry === null) continue;
      entries.push(entry);
      bytes += (entry as Partial<StateEntry>).content?.byteLength ?? 0;
    }
    const last = ids[at - 1];
    const isOver = at >= ids.length || last === undefined;
    this.#rest = isOver ? undefined : { cursor: last, idPrefix, order, ids, from: at };
    return { entries, cursor: isOver ? null : last };
  }

  #idsAfter(
    cursor: string | null,
    { idPrefix, order }: Pick<Rest, "idPrefix" | "order">,
  ): Pick<Rest, "ids" | "from"> {
    const rest = this.#rest;
    if (cursor !== null && rest?.cursor === cursor && rest.idPrefix === idPrefix && rest.order === order)
      return rest;
    const sign = order === "asc" ? 1 : -1;
    const isAfter = (id: string): boolean => cursor === null || sign * compareIds(id, cursor) > 0;
    const ids = [...this.#ids()].filter((id) => id.startsWith(idPrefix) && isAfter(id));
    return { ids: ids.sort((a, b) => sign * compareIds(a, b)), from: 0 };
  }
}

/** `null`: it is absent or has expired. */
export function stateEntry(
  memory: Memory,
  id: string,
  { time, values = false }: { readonly time: number; readonly values?: boolean | undefined },
): StateEntry | null {
  const row = memory.states.get(id);
  if (row === undefined || (row.expiresAt !== null && row.expiresAt <= time)) return null;
  const { revision, serializer, bytes, expiresAt } = row;
  const expiresInMs = expiresAt === null ? null : Math.ceil(expiresAt - time);
  const entry = { id, revision, serializer, bytes: bytes.byteLength, expiresInMs };
  return values ? { ...entry, content: copy(bytes) } : entry;
}

export function countStates(memory: Memory, idPrefix: string, time: number): StateCount {
  let count = 0;
  for (const [id, { expiresAt }] of memory.states) {
    if (!id.startsWith(idPrefix) || id.startsWith(internalMark) || id === markId) continue;
    if (expiresAt === null || expiresAt > time) count += 1;
  }
  return { count, exact: true };
}
