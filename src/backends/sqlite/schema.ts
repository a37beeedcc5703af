/**
 * The format of the file, and whether Holdfast may use a file.
 *
 * A file of a newer format, of another program, or that is not a database is refused and left as it is [S6]. So the
 * check comes before anything is written, the journal mode included.
 */
import { CorruptStateError, UnavailableError } from "../../errors.ts";
import type { SqlDatabase } from "./driver.ts";
import { isReadOnly } from "./errors.ts";

/** "Hold", in SQLite's own field for the program that owns a file. */
const applicationId = 0x486f6c64;
/** Rises when older versions of Holdfast can no longer read the file. */
const formatVersion = 3;

/**
 * What only exists for locks that are held in shares. Their row in `locks` has an empty ticket, and sums up their
 * holders. The index finds the one whose lease ends first among a thousand.
 */
const tablesOfShares = (schema: string): string => `
  CREATE TABLE ${schema}.holders (
    prefix TEXT NOT NULL,
    id TEXT NOT NULL,
    ticket TEXT NOT NULL,
    fence INTEGER NOT NULL,
    fences INTEGER NOT NULL,
    since INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    unconfirmed INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    PRIMARY KEY (prefix, id, ticket)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ${schema}.holders_ends_at ON holders (prefix, id, ends_at, fence);
  CREATE TABLE ${schema}.semaphores (
    prefix TEXT NOT NULL,
    id TEXT NOT NULL,
    most INTEGER NOT NULL,
    created INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (prefix, id)
  ) STRICT, WITHOUT ROWID;
`;

/** What the functions that run under the locks of a client wait for: one row for each client, as JSON. */
const tableOfWaits = (schema: string): string => `
  CREATE TABLE ${schema}.waits (
    prefix TEXT NOT NULL,
    client TEXT NOT NULL,
    n INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    asks TEXT NOT NULL,
    PRIMARY KEY (prefix, client)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * `prefix` belongs to the store, so that its ids differ from those of other stores [S1]. `bytes` is the last column, so
 * that reading the rest of a row does not read the pages of a large value.
 */
const tables = (schema: string): string => `
  CREATE TABLE ${schema}.stamps (last INTEGER NOT NULL, place TEXT NOT NULL) STRICT;
  INSERT INTO stamps VALUES (0, '');
  CREATE TABLE ${schema}.states (
    prefix TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    serializer TEXT NOT NULL,
    expires_at INTEGER,
    bytes BLOB NOT NULL,
    PRIMARY KEY (prefix, id)
  ) STRICT;
  CREATE INDEX ${schema}.states_expires_at ON states (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE ${schema}.locks (
    prefix TEXT NOT NULL,
    id TEXT NOT NULL,
    ticket TEXT NOT NULL,
    fence INTEGER NOT NULL,
    fences INTEGER NOT NULL,
    since INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    unconfirmed INTEGER NOT NULL,
    holders INTEGER,
    used INTEGER,
    first_ends_at INTEGER,
    PRIMARY KEY (prefix, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE ${schema}.waiters (
    prefix TEXT NOT NULL,
    id TEXT NOT NULL,
    ticket TEXT NOT NULL,
    place INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    fences INTEGER NOT NULL,
    load INTEGER NOT NULL,
    passed_over INTEGER NOT NULL,
    weight INTEGER,
    PRIMARY KEY (prefix, id, ticket)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE ${schema}.receipts (
    client TEXT NOT NULL,
    slot INTEGER NOT NULL,
    n INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    reply TEXT NOT NULL,
    PRIMARY KEY (client, slot)
  ) STRICT, WITHOUT ROWID;
  ${tablesOfShares(schema)}
  ${tableOfWaits(schema)}
  PRAGMA ${schema}.application_id = ${String(applicationId)};
  PRAGMA ${schema}.user_version = ${String(formatVersion)};
`;

/** From format 2, which had no shared locks, no semaphores and no notes of waits. */
const upgrade = (schema: string): string => `
  ALTER TABLE ${schema}.locks ADD COLUMN holders INTEGER;
  ALTER TABLE ${schema}.locks ADD COLUMN used INTEGER;
  ALTER TABLE ${schema}.locks ADD COLUMN first_ends_at INTEGER;
  ALTER TABLE ${schema}.waiters ADD COLUMN weight INTEGER;
  ${tablesOfShares(schema)}
  ${tableOfWaits(schema)}
  PRAGMA ${schema}.user_version = ${String(formatVersion)};
`;

/** Sets a new file up in the current format, and brings one of format 2 up to it; leaves any other as it is. */
export function setUp(db: SqlDatabase, name: string): void {
  const found = atOnce(db, () => checkFormat(db, name));
  useWriteAheadLog(db, name);
  db.exec(`PRAGMA ${schemaOf(db)}.synchronous = FULL`); // what was acknowledged survives a power cut [S3]
  if (found === "current") return;
  db.exec("BEGIN IMMEDIATE");
  try {
    const now = checkFormat(db, name); // another process may have been faster
    if (now === "empty") db.exec(tables(schemaOf(db)));
    else if (now === "format 2") db.exec(upgrade(schemaOf(db)));
    db.exec("COMMIT");
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

/** Records which file this is, unless it is recorded already or the file is read-only. Returns what is recorded. */
export function keepPlace(db: SqlDatabase, place: string): string {
  const written = readPlace(db);
  if (written === undefined || written === place) return place;
  try {
    db.prepare("UPDATE stamps SET place = ?").run(place);
    return place;
  } catch (error) {
    if (isReadOnly(error)) return written;
    throw error;
  }
}

/** The recorded place of the file; `undefined` while it is being set up. Refuses a file that is not Holdfast's [S6]. */
export function placeIn(db: SqlDatabase, name: string): string | undefined {
  return atOnce(db, () => (checkFormat(db, name) === "empty" ? undefined : readPlace(db)));
}

/** Of a file that Holdfast may use; `format 2` is brought up when it is opened. Throws CorruptStateError for any other [S6]. */
export function formatIn(db: SqlDatabase, name: string): "empty" | "format 2" | "current" {
  return atOnce(db, () => checkFormat(db, name));
}

export function readPlace(db: SqlDatabase): string | undefined {
  return (db.prepare("SELECT place FROM stamps").get() as { place: string } | undefined)?.place;
}

/** After some errors, SQLite has already ended the transaction, and there is nothing to roll back. */
export function rollBack(db: SqlDatabase): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // The error that led here is the one to report.
  }
}

/** All reads see the same moment: a file that another process is setting up must not be taken for a foreign one. */
function atOnce<T>(db: SqlDatabase, look: () => T): T {
  db.exec("BEGIN");
  try {
    return look();
  } finally {
    rollBack(db);
  }
}

/** "empty": Holdfast may set it up. The others are Holdfast's own. */
function checkFormat(db: SqlDatabase, name: string): "empty" | "format 2" | "current" {
  const owner = pragma(db, "application_id");
  const format = pragma(db, "user_version");
  if (owner === applicationId && format === formatVersion) return "current";
  if (owner === applicationId && format === 2) return "format 2";
  if (owner === applicationId) throw new CorruptStateError(`${name} ${otherFormat(Number(format))}`);
  const { tables } = db.prepare(`SELECT count(*) AS tables FROM ${schemaOf(db)}.sqlite_schema`).get() as {
    tables: number;
  };
  if (owner === 0 && format === 0 && tables === 0) return "empty";
  throw new CorruptStateError(
    `${name} is another program's database. It was left as it is; choose another file.`,
  );
}

/** In format 1, prefix and id were one text, which cannot be split. */
function otherFormat(format: number): string {
  const said = `has format ${String(format)}, not ${String(formatVersion)}, and was left as it is.`;
  if (format > formatVersion) return `${said} Use the version of Holdfast that wrote it, or a later one.`;
  return `${said} Name another file, or take its states over as node_modules/holdfast/docs/sqlite.md says under "Format 1".`;
}

/** Fails with "locked" if two processes open a new file at once; the caller tries again. */
function useWriteAheadLog(db: SqlDatabase, name: string): void {
  if (pragma(db, "journal_mode") === "wal") return;
  const mode = pragma(db, "journal_mode = WAL");
  if (mode === "wal") return;
  throw new UnavailableError(
    `${name} cannot have a write-ahead log here (SQLite answered "${String(mode)}"): it needs a local file system.`,
    { code: "ACCESS_DENIED" },
  );
}

export function pragma(db: SqlDatabase, text: string): unknown {
  const row = db.prepare(`PRAGMA ${schemaOf(db)}.${text}`).get();
  return Object.values(row as Record<string, unknown>)[0];
}

export function schemaOf(db: SqlDatabase): string {
  return db.schema ?? "main";
}
