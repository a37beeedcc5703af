/**
 * The wall clock in microseconds. `Date.now()` counts whole milliseconds; within one of them the monotonic clock goes
 * on, from when this process first saw it. So stamps rise within a millisecond too, even if the last one was lost [S2].
 */
let tick = 0;
let tickedAt = 0;

export function wallMicros(): number {
  const ms = Date.now();
  const now = performance.now();
  if (ms !== tick) [tick, tickedAt] = [ms, now];
  return ms * 1000 + Math.min(999, Math.floor((now - tickedAt) * 1000));
}
