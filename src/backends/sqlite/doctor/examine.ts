/**
 * What `holdfast doctor` looks at in a SQLite file and around it. It creates no file, changes none and upgrades none; a
 * transaction that only shows that writing is possible is rolled back.
 */
import { existsSync, statSync } from "node:fs";
import { toHoldfastError } from "../errors.ts";
import { HoldfastError } from "../../../errors.ts";
import { fail, type Check } from "../../examination.ts";
import type { SqliteOptions } from "../backend.ts";
import { loadDriver, type SqlDatabase } from "../driver.ts";
import { FileGuard } from "../file-guard.ts";
import { contentsCheck, clockCheck, formatCheck, integrityCheck, shardCheck } from "./content.ts";
import type { OpenedFile } from "./opened-file.ts";
import { diskCheck, fileCheck, permissionsCheck } from "./file.ts";
import { journalCheck, versionCheck, writeChecks } from "./database.ts";

export async function examineSqlite(options: SqliteOptions): Promise<readonly Check[]> {
  const { path, prefix, isShard = false } = options;
  const name = `sqlite:${path}`;
  const driver = options.driver ?? (await loadDriver());
  if (!existsSync(path)) {
    return [fail("file", `there is no ${path}`, "Create it with holdfast init, or check the path.")];
  }
  if (!statSync(path).isFile()) return [fail("file", `${path} is not a file`, "Name a file, not a folder.")];
  const around = [fileCheck(path), permissionsCheck(path), diskCheck(path)];
  let db: SqlDatabase | undefined;
  try {
    new FileGuard({ path, name, driver }).refuseForeignLog();
    db = new driver(path);
    const opened: OpenedFile = { db, path, name, prefix, isShard };
    db.exec("PRAGMA busy_timeout = 2000");
    const format = formatCheck(opened);
    if (format.status === "fail" || format.found.startsWith("empty"))
      return [...around, versionCheck(db), format];
    return [
      ...around,
      versionCheck(db),
      format,
      journalCheck(db),
      ...writeChecks(opened),
      shardCheck(opened),
      clockCheck(opened),
      integrityCheck(opened),
      contentsCheck(opened),
    ];
  } catch (error) {
    const failure = toHoldfastError(error, { name, committing: false });
    if (!(failure instanceof HoldfastError)) throw error;
    return [
      ...around,
      fail("open", failure.message, "Until this is resolved, no store can be opened on the file."),
    ];
  } finally {
    db?.close();
  }
}
