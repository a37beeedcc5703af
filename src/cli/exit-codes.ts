/** The exit codes of the command line, which docs/cli.md documents. `run` and its like have the child's status besides. */
import { InvalidArgumentError, UnavailableError } from "../errors.ts";

export const exitCodes = Object.freeze({
  done: 0,
  /** The answer is no: absent, held by another, not fit, or something could not be done. */
  no: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The server, or the file, cannot be reached or refuses. */
  unreachable: 3,
  /** `run`, `once`, `leader`: the lock was lost while the child ran, so the child was ended. */
  lost: 4,
});

/** The command line is wrong; the message is shown with a hint at `--help`. */
export class UsageError extends Error {}

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof InvalidArgumentError) return exitCodes.usage;
  return error instanceof UnavailableError ? exitCodes.unreachable : exitCodes.no;
}
