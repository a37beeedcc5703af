/** The options of the commands that write states which come from elsewhere; and those of the states of statefulpy. */
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
  progress: { type: "boolean", help: "show progress on the standard error, even without a terminal" },
} as const;

export const statefulpyOptions = {
  from: {
    type: "string",
    value: "statefulpy",
    help: "read states of the Python library statefulpy from --source",
  },
  source: {
    type: "string",
    value: "URL",
    help: "with --from: redis://…, or sqlite:PATH, which is only read",
  },
  "source-prefix": {
    type: "string",
    value: "TEXT",
    help: "with --from: its prefix in Redis. Default: statefulpy:",
  },
  serializer: { type: "string", value: "NAME", help: "with --from: its serializer, pickle or json" },
  "to-serializer": {
    type: "string",
    value: "NAME",
    help: "with --from: ours, pickle or json. Default: the same",
  },
  "allow-nan": {
    type: "boolean",
    help: "with --serializer json --to-serializer pickle: read NaN and Infinity",
  },
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
