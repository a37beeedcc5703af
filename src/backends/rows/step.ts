/**
 * What every part of the protocol works on: the rows, and the one time of this step.
 */
import type { Tables } from "./tables.ts";

/** What depends on how quickly waiters learn of things. */
export interface Limits {
  /** A waiter that has not asked for so long has given up, or died [L2]. */
  readonly askLimitMs: number;
  /** How long a waiter has to answer a hand-over [L9]. */
  readonly handOverMs: number;
}

export interface Step {
  readonly tables: Tables;
  readonly limits: Limits;
  /** Read once, so that a step cannot disagree with itself. */
  readonly now: number;
  /** The same in whole microseconds, as finely as the clock can be read: what stamps begin at. */
  readonly micros: number;
}

/** Reserves rising numbers and answers the first: the clock in µs, unless that would not rise [S2] [L3]. */
export function reserveStamps({ tables, micros }: Step, count: number): number {
  const first = Math.max(micros, tables.stamp + 1);
  tables.stamp = first + count - 1;
  return first;
}
