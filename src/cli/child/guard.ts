/**
 * Ends the command if this process dies without having ended it: killed by KILL, out of memory, crashed.
 *
 * A shell in a session of its own waits at the other end of a pipe, which the kernel closes when this process is gone. It
 * sends TERM at once and KILL before the lease of the lock can end, so that the next holder does not meet the command. It
 * cannot see that this process was merely stopped (`kill -STOP`): against that only the fence helps.
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";

/** `kill -s`, since not every shell knows `kill -TERM --`. $1: a fifth of the time between TERM and KILL, in seconds. Lines: what to signal, and later that all is well. */
const script = `
read -r target || exit 0
read -r done && exit 0
kill -s TERM -- "$target" || exit 0
kill -s CONT -- "$target"
for part in 1 2 3 4 5; do
  sleep "$1" || sleep 1
  kill -s 0 -- "$target" || exit 0
done
kill -s KILL -- "$target"
`;

export class Guard {
  readonly #shell: ChildProcess;

  /** `graceMs`: how long the command has between TERM and KILL. */
  constructor(graceMs: number) {
    const seconds = (graceMs / 5_000).toFixed(3);
    this.#shell = spawn("/bin/sh", ["-c", script, "holdfast-guard", seconds], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    const ignore = (): void => undefined; // without a shell, or if it was killed, the command runs without a guard
    this.#shell.on("error", ignore);
    this.#shell.stdin?.on("error", ignore);
    this.#shell.unref();
    (this.#shell.stdin as Socket | null)?.unref();
  }

  /** From now on: a process by its id, or a group by its id with a minus sign. */
  watch(target: number): void {
    this.#shell.stdin?.write(`${target}\n`);
  }

  /** The command has ended. */
  dismiss(): void {
    this.#shell.stdin?.end("done\n");
  }
}
