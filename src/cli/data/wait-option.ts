/** The option of commands that write: how long they wait while others hold the lock of a state. */
import type { Values } from "../command.ts";
import { durationMs } from "../durations.ts";

export const waitOption = {
  wait: {
    type: "string",
    value: "DURATION",
    help: "how long to wait while others hold its lock; 0 tries once. Default: 15s",
  },
} as const;

export function waitMsOf({ wait }: Values<typeof waitOption>): { readonly waitMs?: number } {
  return wait === undefined ? {} : { waitMs: durationMs(wait, "--wait") };
}
