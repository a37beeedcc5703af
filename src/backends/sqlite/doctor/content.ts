/** What is in the file: its format, whose it is, whether it is damaged, and what is stored under the prefix. */
import { HoldfastError, internalMark } from "../../../errors.ts";
import { counted, fail, ok, unknown, warning, type Check } from "../../examination.ts";
import { markId } from "../../shard-mark.ts";
import type { SqlValue } from "../driver.ts";
import { formatIn, pragma, schemaOf } from "../schema.ts";
import type { OpenedFile } from "./opened-file.ts";

/** Reading every page of a larger file takes long. */
const largeBytes = 256 * 1024 * 1024;
/** Stamps are ahead of the clock by less, unless the clock was set back. */
const aheadMs = 1_000;

export function formatCheck({ db, name }: OpenedFile): Check {
  try {
    const format = formatIn(db, name);
    if (format === "empty") {
      return warning(
        "format",
        "empty: no store has been set up in it",
        "holdfast init, or the first use, does that.",
      );
    }
    return ok(
      "format",
      format === "current" ? "Holdfast's" : "Holdfast's format 2, which the next open() brings up to 3",
    );
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return fail("format", error.message, "Name another file.");
  }
}

export function shardCheck(file: OpenedFile): Check {
  const marks = count(file, "SELECT count(*) AS n FROM states WHERE prefix = ? AND id = ?", markId);
  const found = marks === 0 ? "a whole store" : "one shard of a store";
  if (marks === 0 || file.isShard) return ok("shards", found);
  return fail("shards", found, "Name all shards of the store, in their order: --url for each, or --shards.");
}

/** The machine's clock is the store's. */
export function clockCheck({ db }: OpenedFile): Check {
  const { last = 0 } = (db.prepare(`SELECT last FROM ${schemaOf(db)}.stamps`).get() ?? {}) as {
    last?: number;
  };
  const ahead = last / 1_000 - Date.now();
  if (ahead < aheadMs) return ok("clock", "not behind what was stored last");
  const advice = "The clock was set back. Nothing is lost, but check it, and let NTP slew it.";
  return warning("clock", `${String(Math.round(ahead / 1_000))} s behind what was stored last`, advice);
}

export function integrityCheck({ db }: OpenedFile): Check {
  const bytes = Number(pragma(db, "page_count")) * Number(pragma(db, "page_size"));
  if (bytes > largeBytes)
    return unknown("integrity", "not checked, since the file is large: PRAGMA quick_check does it");
  const answer = String(pragma(db, "quick_check(1)"));
  if (answer === "ok") return ok("integrity", "no damage");
  return fail(
    "integrity",
    answer,
    "The file is damaged. Stop all processes that use it, and restore a backup.",
  );
}

export function contentsCheck(file: OpenedFile): Check {
  const named = "AND substr(id, 1, 1) <> ?";
  const states = count(
    file,
    `SELECT count(*) AS n FROM states WHERE prefix = ? AND (expires_at IS NULL OR expires_at > ?) ${named} AND id <> ?`,
    Date.now(),
    internalMark,
    markId,
  );
  const locks = count(file, `SELECT count(*) AS n FROM locks WHERE prefix = ? ${named}`, internalMark);
  const waiters = count(file, "SELECT count(*) AS n FROM waiters WHERE prefix = ?");
  const others = count(file, "SELECT count(*) AS n FROM states WHERE prefix <> ?");
  const besides = others === 0 ? "" : `; ${counted(others, "state")} under other prefixes`;
  const found = `${counted(states, "state")}, ${counted(locks, "lock")}, ${counted(waiters, "waiter")}${besides}`;
  return ok("contents", found);
}

function count({ db, prefix }: OpenedFile, sql: string, ...values: SqlValue[]): number {
  return (db.prepare(sql).get(prefix, ...values) as { n: number }).n;
}
