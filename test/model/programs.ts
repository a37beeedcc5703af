// The small programs that are explored: who asks for what, and what else may happen.

import type { Share } from "../../src/backends/contract.ts";

export interface Program {
  readonly name: string;
  /** One ticket each. `undefined`: it asks for the whole lock. */
  readonly asks: readonly (Share | undefined)[];
  /** Limits that somebody may set, each once in a run. */
  readonly resizes?: readonly number[];
  /** Whether somebody may force-release a holder, once in a run. */
  readonly forces?: boolean;
  /** Whether the first one asks for a second lock once it holds, and then commits the states of both. */
  readonly commits?: boolean;
  /** Whether a reply may be lost, or a copy of a request come late, once in a run. */
  readonly faults?: boolean;
  /** How many steps `npm run model` takes, and how many CI does. */
  readonly depth: number;
  readonly depthInCi: number;
}

/** In ticks of the model's clock. */
export const leaseMs = 2;
export const rules = { limits: { askLimitMs: 3, handOverMs: 1 }, grainMs: 0, wakes: true };

const reader: Share = { kind: "shared" };
const writer = undefined;
const permits = (weight: number, limit: number | null): Share => ({ kind: "permits", weight, limit });

export const programs: readonly Program[] = [
  { name: "two writers", asks: [writer, writer], forces: true, faults: true, depth: 16, depthInCi: 9 },
  { name: "reader and writer", asks: [reader, writer], forces: true, faults: true, depth: 16, depthInCi: 9 },
  { name: "three writers", asks: [writer, writer, writer], depth: 13, depthInCi: 8 },
  { name: "two readers and a writer", asks: [reader, writer, reader], depth: 13, depthInCi: 9 },
  { name: "a reader and two writers", asks: [writer, reader, writer], forces: true, depth: 12, depthInCi: 7 },
  { name: "lost and late", asks: [reader, writer, reader], faults: true, depth: 10, depthInCi: 7 },
  {
    name: "a commit beside a writer",
    asks: [writer, writer],
    ...{ commits: true, forces: true, faults: true, depth: 13, depthInCi: 8 },
  },
  {
    name: "a commit beside a reader and a writer",
    asks: [writer, reader, writer],
    ...{ commits: true, depth: 12, depthInCi: 8 },
  },
  { name: "permits", asks: [permits(1, 2), permits(2, 2), permits(1, null)], depth: 13, depthInCi: 9 },
  {
    name: "permits that are resized",
    asks: [permits(1, 2), permits(2, 2), permits(1, null)],
    ...{ resizes: [1, 3], forces: true, depth: 11, depthInCi: 7 },
  },
  {
    name: "permits that are resized twice",
    asks: [permits(2, 2), permits(2, 3)],
    ...{ resizes: [3, 2], faults: true, depth: 12, depthInCi: 8 },
  },
];
