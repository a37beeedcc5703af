/**
 * The store that is opened without a target: `.holdfast/store.db` in the folder of the project.
 *
 * `open()` only determines where it is, since builds and tests import modules that open stores and never use them. The
 * first use creates the folder and says once on stderr where it is, or refuses: in production, or where the file
 * system does not allow it. A refusal is repeated at each use until its cause is gone.
 */
import { accessSync, constants, existsSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createFolder, fileError } from "../backends/sqlite/path.ts";
import { InvalidArgumentError } from "../errors.ts";
import { onePerProcess } from "../process/one-per-process.ts";
import { projectFolder } from "./workspace.ts";

export interface DefaultStore {
  /** The file. If it cannot be known, only for messages. */
  readonly path: string;
  /** Called at the first use. Throws UnavailableError or InvalidArgumentError if there can be no such store. */
  readonly prepare: () => void;
}

const setInstead = "Set HOLDFAST_URL (redis://host:6379, or sqlite:/path/to/store.db), or call open(target).";

export function defaultStore(): DefaultStore {
  if (process.env["NODE_ENV"] === "production") return { path: unknownPath, prepare: refuseInProduction };
  let folder: string;
  try {
    folder = join(projectFolder(process.cwd()), ".holdfast");
  } catch (cause) {
    return { path: unknownPath, prepare: () => refuse("has no working directory to start from", cause) };
  }
  const path = join(folder, "store.db");
  return { path, prepare: () => prepare(folder, path) };
}

const unknownPath = join(".holdfast", "store.db");

function prepare(folder: string, path: string): void {
  try {
    createFolder(folder);
    const ignore = join(folder, ".gitignore");
    if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
    accessSync(folder, constants.W_OK); // SQLite creates files beside the store
  } catch (cause) {
    refuse(`needs the folder ${folder}, which cannot be created or written`, cause);
  }
  announce(path);
}

function refuse(why: string, cause: unknown): never {
  throw fileError(cause, `Without a target, open() ${why} (${(cause as Error).message}). ${setInstead}`);
}

function refuseInProduction(): never {
  const isLate = (process.env["HOLDFAST_URL"] ?? "") !== "";
  const advice = isLate
    ? "HOLDFAST_URL was set after open() was called: load it before the module that calls open(), for example with node --env-file."
    : setInstead;
  throw new InvalidArgumentError(`With NODE_ENV=production, open() needs a target. ${advice}`);
}

function announce(path: string): void {
  const announced = onePerProcess("announced", 1, () => new Set<string>());
  if (announced.has(path)) return;
  announced.add(path);
  try {
    writeSync(2, `holdfast: using ${path}. For another store, set HOLDFAST_URL or call open(target).\n`);
  } catch {
    // stderr is closed, or its reader is gone
  }
}
