/**
 * The wall clock in microseconds. `wallNow()` counts whole milliseconds. Within a millisecond, the monotonic clock
 * continues, from when this process first saw that millisecond. So stamps rise within a millisecond too, even if the
 * last one was lost [S2].
 */
import { now, wallNow } from "../../timers.ts";

let tick = 0;
let tickedAt = 0;

export function wallMicros(): number {
  const ms = wallNow();
  const at = now();
  if (ms !== tick) [tick, tickedAt] = [ms, at];
  return ms * 1000 + Math.min(999, Math.floor((at - tickedAt) * 1000));
}
