/** Warnings of one backend: each cause is reported once, at its first occurrence. */
import { warn } from "../../diagnostics/events.ts";

export type Warn = (cause: string, message: string) => void;

export function warnOncePerCause(): Warn {
  const reported = new Set<string>();
  return (cause, message) => {
    if (reported.has(cause)) return;
    reported.add(cause);
    warn(cause, message);
  };
}
