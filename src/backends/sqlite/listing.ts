/**
 * Listings, page by page in the order of ids. The cursor is the last id, so that concurrent changes do not shift other
 * entries.
 */
import type { ListRequest, Page, StateEntry } from "../contract.ts";
import type { Connection } from "./connection.ts";
import type { SqlValue } from "./driver.ts";

export interface Range extends ListRequest {
  readonly prefix: string;
  readonly cursor: string | null;
}

export function listStates(sql: Connection, range: Range, now: number): Page<StateEntry> {
  const rows = sql.all(
    `SELECT id, revision, serializer, expires_at, length(bytes) AS bytes FROM states
     WHERE ${within} AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT ?`,
    ...[...bounds(range), now, range.limit],
  ) as { id: string; revision: number; serializer: string; expires_at: number | null; bytes: number }[];
  const entries = rows.map(({ id, revision, serializer, expires_at, bytes }) => {
    const expiresInMs = expires_at === null ? null : expires_at - now;
    return { id, revision, serializer, bytes, expiresInMs };
  });
  return {
    entries,
    cursor: nextCursor(
      entries.map(({ id }) => id),
      range,
    ),
  };
}

/** Includes expired locks, which the protocol handles. */
export function listLockIds(sql: Connection, range: Range): Page<string> {
  const rows = sql.all(
    `SELECT id FROM locks WHERE ${within} ORDER BY id LIMIT ?`,
    ...[...bounds(range), range.limit],
  ) as { id: string }[];
  const entries = rows.map(({ id }) => id);
  return { entries, cursor: nextCursor(entries, range) };
}

/** The ids of one store: after which to begin, the least one, and before which to end. */
const within = "prefix = ? AND id > ? AND id >= ? AND id < ?";

function bounds({ prefix, idPrefix, cursor }: Range): SqlValue[] {
  return [prefix, cursor ?? "", idPrefix, endOf(idPrefix)];
}

function nextCursor(ids: readonly string[], { limit }: Range): string | null {
  return ids.length < limit ? null : (ids.at(-1) ?? null);
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
