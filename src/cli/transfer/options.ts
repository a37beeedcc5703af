/** The options of the commands that write states which come from elsewhere. */
import type { Values } from "../command.ts";
import { durationMs } from "../durations.ts";
import { defaults } from "../../options.ts";
import type { Output } from "../output.ts";
import type { PutOptions } from "./put-state.ts";
import { Tally } from "./tally.ts";

export const putOptions = {
  "dry-run": { type: "boolean", help: "write nothing, and say what would be done with each state" },
  overwrite: { type: "boolean", help: "replace states that are there with another content" },
  wait: {
    type: "string",
    value: "DURATION",
    help: "how long to wait while others hold the lock of a state (10, 250ms, 5m). Default: 15",
  },
  progress: { type: "boolean", help: "show progress on the standard error, also without a terminal" },
} as const;

type PutValues = Values<typeof putOptions>;

export function putOptionsOf({
  wait,
  overwrite = false,
  "dry-run": isDryRun = false,
}: PutValues): PutOptions {
  return {
    isDryRun,
    overwrites: overwrite,
    waitMs: wait === undefined ? defaults.waitMs : durationMs(wait, "--wait"),
  };
}

export function tallyOf(output: Output, { progress = false, "dry-run": isDryRun = false }: PutValues): Tally {
  return new Tally(output, { isDryRun, showsProgress: progress });
}
