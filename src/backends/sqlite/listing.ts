/**
 * Listings, page by page in the order of ids. The cursor is the last id, so that concurrent changes do not shift other
 * entries.
 */
import { internalMark } from "../../errors.ts";
import type { ListRequest, Page, StateCount, StateEntry } from "../contract.ts";
import { markId } from "../shard-mark.ts";
import type { Connection } from "./connection.ts";
import type { SqlValue } from "./driver.ts";

/** A page ends when the values in it are this large together: a caller keeps a whole page. */
const pageBytes = 4 * 1024 * 1024;

export interface Range extends ListRequest {
  readonly prefix: string;
  readonly cursor: string | null;
}

export function listStates(sql: Connection, range: Range, now: number): Page<StateEntry> {
  const { where, values, ascending } = within(range);
  const rest = `FROM states WHERE ${where} AND (expires_at IS NULL OR expires_at > ?)
     ORDER BY id ${ascending ? "" : "DESC"} LIMIT ?`;
  const rows = sql.all(
    `SELECT id, revision, serializer, expires_at, length(bytes) AS bytes ${rest}`,
    ...[...values, now, range.limit],
  ) as { id: string; revision: number; serializer: string; expires_at: number | null; bytes: number }[];
  const entries = rows.map(({ id, revision, serializer, expires_at, bytes }) => {
    const expiresInMs = expires_at === null ? null : expires_at - now;
    return { id, revision, serializer, bytes, expiresInMs };
  });
  const cursor = nextCursor(entries, range);
  if (range.values !== true) return { entries, cursor };
  const fitting = entries.slice(0, countThatFits(entries));
  const contents = sql.all(`SELECT bytes ${rest}`, ...[...values, now, fitting.length]) as {
    bytes: Uint8Array;
  }[];
  const full = fitting.map((entry, index) => ({ ...entry, content: contents[index]?.bytes }));
  return { entries: full, cursor: full.length < entries.length ? (full.at(-1)?.id ?? null) : cursor };
}

/** In one step, so it is exact. */
export function countStates(
  sql: Connection,
  { prefix, idPrefix }: Pick<Range, "prefix" | "idPrefix">,
  now: number,
): StateCount {
  const { where, values } = within({ prefix, idPrefix, cursor: null });
  const row = sql.get(
    `SELECT count(*) AS count FROM states WHERE ${where} AND (expires_at IS NULL OR expires_at > ?)
     AND substr(id, 1, 1) <> ? AND id <> ?`,
    ...[...values, now, internalMark, markId],
  ) as { count: number };
  return { count: row.count, exact: true };
}

/** Includes expired locks, which the protocol handles. */
export function listLockIds(sql: Connection, range: Range): Page<string> {
  const { where, values } = within(range);
  const rows = sql.all(
    `SELECT id FROM locks WHERE ${where} ORDER BY id LIMIT ?`,
    ...[...values, range.limit],
  ) as { id: string }[];
  return { entries: rows.map(({ id }) => id), cursor: nextCursor(rows, range) };
}

/** The ids of one store: the least one, before which to end, and after which to begin. */
function within({
  prefix,
  idPrefix,
  cursor,
  order = "asc",
}: Pick<Range, "prefix" | "idPrefix" | "cursor" | "order">): {
  readonly where: string;
  readonly values: SqlValue[];
  readonly ascending: boolean;
} {
  const ascending = order === "asc";
  const values: SqlValue[] = [prefix, idPrefix, endOf(idPrefix)];
  const where = "prefix = ? AND id >= ? AND id < ?";
  if (cursor === null) return { where, values, ascending };
  return { where: `${where} AND id ${ascending ? ">" : "<"} ?`, values: [...values, cursor], ascending };
}

/** At least one, so that every page goes on. */
function countThatFits(entries: readonly StateEntry[]): number {
  let bytes = 0;
  const index = entries.findIndex((entry) => (bytes += entry.bytes) >= pageBytes);
  return index === -1 ? entries.length : index + 1;
}

function nextCursor(rows: readonly { readonly id: string }[], { limit }: Range): string | null {
  return rows.length < limit ? null : (rows.at(-1)?.id ?? null);
}

/** The least text above all texts that begin with `prefix`. Every text is less than a blob. */
function endOf(prefix: string): SqlValue {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return new Uint8Array(0);
  const next = last === 0xd7ff ? 0xe000 : last + 1; // surrogates are not characters
  return String.fromCodePoint(...points, next);
}
