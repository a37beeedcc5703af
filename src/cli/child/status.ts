/**
 * How a command that was started has ended, as the exit code that a shell would give it: its own, 128 + n if a signal ended
 * it, 126 if it could not be executed, 127 if it was not found.
 */
import { constants } from "node:os";

export interface Status {
  readonly code: number;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
}

/** The arguments of a child process's event "exit". */
export function statusOf(code: number | null, signal: NodeJS.Signals | null): Status {
  return { code: code ?? codeOf(signal ?? "SIGKILL"), signal };
}

/** The exit code of a command that a signal ended. */
export function codeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** The command could not be started. Nothing of it ran. */
export class NotStarted extends Error {
  readonly code: 126 | 127;

  constructor(command: string, cause: NodeJS.ErrnoException) {
    const isAbsent = cause.code === "ENOENT";
    const why = isAbsent ? "it was not found" : `it cannot be executed (${cause.code ?? cause.message})`;
    super(`The command ${JSON.stringify(command)} was not run: ${why}.`, { cause });
    this.code = isAbsent ? 127 : 126;
  }
}

/** A signal ended the waiting for the lock. */
export class StoppedWaiting extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`${signal} ended the waiting.`);
    this.signal = signal;
  }
}
