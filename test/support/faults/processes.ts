// Signals to processes that the caller started, each awaited until the system shows its effect.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Stopped, as by a suspended laptop; resolves when it stands still. */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until(() => "TtZX".includes(stateOf(pid)));
}

/** Goes on; resolves when it does. */
export async function continueProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGCONT");
  await until(() => !"Tt".includes(stateOf(pid)));
}

/** Gone, without a last word; resolves when it is. */
export async function killProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await until(() => "ZX".includes(stateOf(pid)));
}

/** One letter, as `ps` shows it; "X": there is no such process. */
function stateOf(pid: number): string {
  if (!existsSync("/proc/self/stat")) return psState(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return "X";
  }
}

function psState(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .charAt(0);
  } catch {
    return "X";
  }
}

async function until(seen: () => boolean): Promise<void> {
  while (!seen()) await sleep(1);
}
