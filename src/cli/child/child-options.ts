/** The options that `run`, `once` and `leader` have in common, and what they mean. */
import { defaults } from "../../options.ts";
import type { Values } from "../command.ts";
import { durationMs } from "../durations.ts";
import { UsageError } from "../exit-codes.ts";
import { storeOptions, wholeNumber } from "../store-options.ts";

/** How a command is supervised. */
export const childOptions = {
  lease: {
    type: "string",
    value: "MS",
    help: "how long the lock outlives a crash of this program, in milliseconds. Default: 10000",
  },
  "kill-after": {
    type: "string",
    value: "SECS",
    help: "when the lock is lost, KILL follows TERM after this time. Default: 10",
  },
  ...storeOptions,
} as const;

/** How long a lock is waited for. */
export const waitOptions = {
  nonblock: { type: "boolean", short: "n", help: "do not wait: fail if the lock is held by another" },
  wait: {
    type: "string",
    short: "w",
    value: "SECS",
    help: "wait at most this long (10, 1.5, 250ms, 5m). Default: without end",
  },
  "conflict-exit-code": {
    type: "string",
    short: "E",
    value: "CODE",
    help: "the exit code if the lock is held by another. Default: 1",
  },
} as const;

const defaultKillAfterMs = 10_000;
/** Those of the library's option. */
const [minLeaseMs, maxLeaseMs] = [100, 86_400_000];

export interface ChildTimes {
  readonly leaseMs: number;
  readonly killAfterMs: number;
}

export function childTimes({ lease, "kill-after": killAfter }: Values<typeof childOptions>): ChildTimes {
  return {
    leaseMs: lease === undefined ? defaults.leaseMs : leaseOf(lease),
    killAfterMs: killAfter === undefined ? defaultKillAfterMs : durationMs(killAfter, "--kill-after"),
  };
}

export interface Waiting {
  readonly waitMs: number;
  readonly conflictCode: number;
}

export function waitingOf(values: Values<typeof waitOptions>): Waiting {
  const { nonblock = false, wait, "conflict-exit-code": code = "1" } = values;
  if (nonblock && wait !== undefined) {
    throw new UsageError("--nonblock does not wait, and --wait does: use one of them.");
  }
  const conflictCode = wholeNumber(code, "--conflict-exit-code");
  if (conflictCode > 255) throw new UsageError(`--conflict-exit-code must be from 0 to 255; got ${code}.`);
  const waitMs = wait === undefined ? Infinity : durationMs(wait, "--wait");
  return { waitMs: nonblock ? 0 : waitMs, conflictCode };
}

function leaseOf(text: string): number {
  const leaseMs = wholeNumber(text, "--lease");
  if (leaseMs >= minLeaseMs && leaseMs <= maxLeaseMs) return leaseMs;
  throw new UsageError(
    `--lease must be a number of milliseconds from ${minLeaseMs} to ${maxLeaseMs}; got ${text}.`,
  );
}
