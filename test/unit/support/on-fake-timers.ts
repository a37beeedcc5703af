// The library anew, on the global timers and clocks, which a test has replaced: it would take Node's own instead.

import { vi } from "vitest";

export async function onFakeTimers(): Promise<void> {
  vi.resetModules();
  const [{ useTimeSource }, { globalTime }] = await Promise.all([
    import("../../../src/timers.ts"),
    import("../../../src/testing/applications/global-time.ts"),
  ]);
  useTimeSource({ ...globalTime, turn: (fn) => void setImmediate(fn) });
}
