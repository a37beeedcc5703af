/**
 * What one process can find out about the others of its machine. Only on Linux, through /proc and signal 0.
 *
 * Nothing here throws: what cannot be read is `undefined`, and then nothing is concluded from it. Tests have views of
 * their own.
 */
import { readFileSync, readlinkSync } from "node:fs";

export interface ProcessView {
  readonly pid: number;
  /** The text of a file. */
  readonly read: (path: string) => string | undefined;
  /** The target of a symbolic link. */
  readonly link: (path: string) => string | undefined;
  /** Whether the kernel says that no process has this PID. Permissions and `hidepid` have no influence. */
  readonly isFree: (pid: number) => boolean;
}

/** The fields of /proc/<pid>/stat that matter here. */
export interface ProcessStat {
  /** R, S, D, T …; Z: a zombie, X: dead. */
  readonly state: string;
  readonly threads: number;
  /** In clock ticks since the machine started, as text. */
  readonly startedAt: string;
}

export const ownView: ProcessView = {
  pid: process.pid,
  read: (path) => attempt(() => readFileSync(path, "utf8")),
  link: (path) => attempt(() => readlinkSync(path)),
  isFree,
};

/** `undefined`: there is no such process, or it cannot be seen. */
export function statOf(view: ProcessView, pid: number | "self"): ProcessStat | undefined {
  const text = view.read(`/proc/${String(pid)}/stat`);
  if (text === undefined) return undefined;
  // The name, in parentheses, may contain spaces and parentheses. Fields are counted from 3 behind it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, threads, startedAt] = [fields[0], fields[17], fields[19]];
  if (state === undefined || startedAt === undefined || !/^\d+$/.test(startedAt)) return undefined;
  return { state, threads: Number(threads), startedAt };
}

function isFree(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
