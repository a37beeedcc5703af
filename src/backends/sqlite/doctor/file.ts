/** The file system around the file: where it is, who may read and write it, how much space is left. */
import { accessSync, constants, readdirSync, statfsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fail, ok, unknown, warning, type Check } from "../../examination.ts";

/** Types of file systems that are kept by another machine, by the numbers that Linux has for them. */
const networks: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x00c36400, "Ceph"],
  [0x01021997, "9P"],
  [0x65735546, "FUSE"],
]);
const littleBytes = 100 * 1024 * 1024;
const mebibyte = 1024 * 1024;

export function fileCheck(path: string): Check {
  const { size } = statSync(path);
  const beside = readdirSync(dirname(path)).filter((name) => name === `${basename(path)}-wal`);
  const log = beside.length > 0 ? ", with a write-ahead log beside it" : "";
  const found = `${path}, ${String(size)} bytes${log}`;
  const network = networks.get(statfsSync(path).type);
  if (network === undefined) return ok("file", found);
  const advice =
    "Locks of SQLite do not work there, unless it is a local file system: move the file to a local disk.";
  return network === "FUSE"
    ? warning("file", `${found}, on a FUSE file system`, advice)
    : fail("file", `${found}, on ${network}`, advice);
}

/** The folder must be writable, too: the log is created and deleted there. */
export function permissionsCheck(path: string): Check {
  for (const [what, mode] of [
    [path, constants.R_OK | constants.W_OK],
    [dirname(path), constants.R_OK | constants.W_OK | constants.X_OK],
  ] as const) {
    try {
      accessSync(what, mode);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      return fail(
        "permissions",
        `${what} may not be read and written (${code})`,
        `Give this user the right to read and write it.`,
      );
    }
  }
  const bits = statSync(path).mode & 0o777;
  const found = `mode ${bits.toString(8)}`;
  if ((bits & 0o002) === 0) return ok("permissions", found);
  return warning(
    "permissions",
    found,
    "Everybody may write to the file: take that right away with chmod o-w.",
  );
}

export function diskCheck(path: string): Check {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (free <= 0) return unknown("disk", "the file system does not say what is free");
  const found = `${String(Math.floor(free / mebibyte))} MiB free`;
  return free > littleBytes
    ? ok("disk", found)
    : warning("disk", found, "Free space: without it, nothing is saved.");
}
