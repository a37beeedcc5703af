/** SQLite itself: its version, the journal of the file, and whether a transaction may write. */
import { fail, ok, roundTrip, warning, type Check } from "../../examination.ts";
import type { SqlDatabase } from "../driver.ts";
import { toHoldfastError } from "../errors.ts";
import { pragma, rollBack } from "../schema.ts";
import { hasWalResetBug } from "../wal-reset-bug.ts";
import type { OpenedFile } from "./opened-file.ts";

const rounds = 100;
const slowMs = 50;

export function versionCheck(db: SqlDatabase): Check {
  const { version } = db.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  const found = `SQLite ${version}, Node ${process.version}`;
  if (!hasWalResetBug(version)) return ok("version", found);
  const advice =
    "In rare cases it corrupts a file that several processes write: use a Node with SQLite 3.51.3 or later (3.50.7 and 3.44.6 are also safe).";
  return warning("version", found, advice);
}

export function journalCheck(db: SqlDatabase): Check {
  const mode = String(pragma(db, "journal_mode"));
  if (mode === "wal") return ok("journal", "write-ahead log");
  return fail(
    "journal",
    `journal_mode ${mode}`,
    "Another program has changed it: open the store once, as holdfast init does.",
  );
}

/** Begins transactions that write, and rolls them back. */
export function writeChecks({ db, name }: OpenedFile): Check[] {
  const times: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const since = performance.now();
      db.exec("BEGIN IMMEDIATE");
      rollBack(db);
      times.push(performance.now() - since);
    }
  } catch (error) {
    const { message } = toHoldfastError(error, { name, committing: false }) as Error;
    return [
      fail(
        "write",
        message,
        "Let this user write to the file; if another process keeps it locked, end that.",
      ),
    ];
  }
  const advice = "Another process writes most of the time, or the disk is slow.";
  return [ok("write", "a transaction may write"), roundTrip(times, slowMs, advice)];
}
