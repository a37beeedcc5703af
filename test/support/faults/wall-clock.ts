// A wall clock that jumps, inside of the process that calls this: `Date.now()` and `new Date()` tell another time from
// then on. The monotonic clock goes on as it was, as it does when somebody sets a machine's clock.

import { nodeTime } from "../../../src/time/node-time.ts";
import { useTimeSource } from "../../../src/timers.ts";

export interface WallClock {
  /** How far it is off, in milliseconds. */
  readonly offsetMs: number;
  jump(byMs: number): void;
  restore(): void;
}

export function fakeWallClock(): WallClock {
  const Real = globalThis.Date;
  let offsetMs = 0;
  class JumpingDate extends Real {
    constructor(...args: [] | [number | string | Date]) {
      if (args.length === 0) super(Real.now() + offsetMs);
      else super(...args);
    }

    static override now(): number {
      return Real.now() + offsetMs;
    }
  }
  globalThis.Date = JumpingDate as DateConstructor;
  const previous = useTimeSource(nodeTime);
  useTimeSource({ ...previous, wallNow: () => Date.now() });
  return {
    get offsetMs() {
      return offsetMs;
    },
    jump(byMs) {
      offsetMs += byMs;
    },
    restore() {
      globalThis.Date = Real;
      useTimeSource(previous);
    },
  };
}
