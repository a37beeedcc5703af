/**
 * The mark of a process, which is part of its tickets: `<where>.<when>`.
 *
 * `where` is a digest of what must be equal for two processes to mean the same by a PID: the boot of the machine and the
 * PID namespace. `when` is when the process was started, since PIDs are reused. A process has no mark if any of this
 * cannot be known for certain: on other systems than Linux, or with a /proc that belongs to another PID namespace.
 */
import { createHash } from "node:crypto";
import { platform } from "node:process";
import { ownView, statOf, type ProcessView } from "./process-view.ts";

export interface ProcessMark {
  readonly where: string;
  readonly when: string;
}

/** 60 bits, so that no two machines have the same by chance. */
const digestLength = 10;

export function markOf(view: ProcessView): ProcessMark | undefined {
  const boot = view.read("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  const namespace = view.link("/proc/self/ns/pid") ?? "";
  const startedAt = statOf(view, "self")?.startedAt;
  if (!/^[0-9a-f-]{36}$/.test(boot) || !/^pid:\[\d+\]$/.test(namespace)) return undefined;
  if (startedAt === undefined || !isOwnProc(view)) return undefined;
  // In another time namespace, the same process seems to have been started at another time. Old kernels have none.
  const clock = view.link("/proc/self/ns/time") ?? "";
  const digest = createHash("sha256").update([boot, namespace, clock].join("\n")).digest("base64url");
  return { where: digest.slice(0, digestLength), when: Number(startedAt).toString(36) };
}

/** Whether /proc shows this process's own PID namespace. If not, it names more than one PID, or another one. */
function isOwnProc(view: ProcessView): boolean {
  const pids = /^NSpid:\s*(.*)$/m.exec(view.read("/proc/self/status") ?? "")?.[1];
  return pids?.trim() === String(view.pid);
}

let own: ProcessMark | null | undefined;

/** The mark of this process; `undefined`: it has none. */
export function ownMark(): ProcessMark | undefined {
  if (own === undefined) own = platform === "linux" ? (markOf(ownView) ?? null) : null;
  return own ?? undefined;
}

export function markText({ where, when }: ProcessMark): string {
  return `${where}.${when}`;
}

export function parseMark(text: string | undefined): ProcessMark | undefined {
  const [where, when] = text?.split(".") ?? [];
  return where === undefined || when === undefined ? undefined : { where, when };
}
