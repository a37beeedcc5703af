/**
 * What Holdfast reports through `node:diagnostics_channel`: single events and warnings. What traces each call
 * is in traces.ts.
 *
 * Nothing is built or published without a subscriber; only warnings then go to the process. Payloads contain ids, never
 * values or passwords [P3].
 *
 * | channel | when | payload |
 * |---|---|---|
 * | `holdfast:acquire` | a grant was handed out | {@link AcquireEvent} |
 * | `holdfast:release` | a grant was released while it was held | {@link ReleaseEvent} |
 * | `holdfast:lost` | a grant was lost | {@link LostEvent} |
 * | `holdfast:update` | a write was acknowledged, of one caller or of a whole batch | {@link UpdateEvent} |
 * | `holdfast:warning` | something needs attention; a lasting condition is reported once per store | {@link WarningEvent} |
 */
import { channel } from "node:diagnostics_channel";
import { now } from "../timers.ts";

/** The payload of `holdfast:acquire`: a grant was handed out. */
export interface AcquireEvent {
  /** The id of the lock. */
  readonly id: string;
  /** From the call to the grant, in milliseconds. */
  readonly waitedMs: number;
  /** The fence of the grant. */
  readonly fence: number;
}

/** The payload of `holdfast:release`: a grant was released while it was held. */
export interface ReleaseEvent {
  /** The id of the lock. */
  readonly id: string;
  /** The fence of the grant. */
  readonly fence: number;
}

/** The payload of `holdfast:lost`: a grant was lost. */
export interface LostEvent {
  /** The id of the lock. */
  readonly id: string;
  /** The fence of the grant. */
  readonly fence: number;
  /** Why, as text for a log. */
  readonly reason: string;
}

/** The payload of `holdfast:update`: a write was acknowledged, of one caller or of a whole batch. */
export interface UpdateEvent {
  /** The id of the state. */
  readonly id: string;
  /** The number of callers that this save answered. */
  readonly jobs: number;
  /** The size of the saved value; 0 for a delete. */
  readonly bytes: number;
}

/** The payload of `holdfast:warning`: something needs attention. */
export interface WarningEvent {
  /** Stable and searchable, such as `redis-eviction`. */
  readonly cause: string;
  /** What is wrong and what to do, as text for a log. */
  readonly message: string;
}

export const diagnostics = {
  acquire: channel("holdfast:acquire"),
  release: channel("holdfast:release"),
  lost: channel("holdfast:lost"),
  update: channel("holdfast:update"),
  warning: channel("holdfast:warning"),
} as const;

/** At most this many warnings of one cause go to the process in a minute: an outage makes one for each caller. */
const maxPerMinute = 10;
const minuteMs = 60_000;
const emitted = new Map<string, { readonly from: number; count: number }>();

/**
 * Reports something that needs attention: to the subscribers of `holdfast:warning`; without any, as a warning of the
 * process, which Node prints to stderr.
 */
export function warn(cause: string, message: string): void {
  if (diagnostics.warning.hasSubscribers)
    diagnostics.warning.publish({ cause, message } satisfies WarningEvent);
  else if (mayEmit(cause)) process.emitWarning(message, { type: "HoldfastWarning", code: cause });
}

function mayEmit(cause: string): boolean {
  const last = emitted.get(cause);
  if (last === undefined || now() - last.from >= minuteMs) {
    emitted.set(cause, { from: now(), count: 1 });
    return true;
  }
  last.count += 1;
  return last.count <= maxPerMinute;
}

/** Mistakes in programs that were reported. A program that makes ever new ones hears of the first. */
const reported = new Set<string>();
const maxReported = 1_000;

/** Reports a likely mistake of the program that uses Holdfast, once per process for each cause and what it is about. */
export function warnOnce(cause: string, about: string, message: () => string): void {
  const key = `${cause} ${about}`;
  if (reported.size >= maxReported || reported.has(key)) return;
  reported.add(key);
  warn(cause, message());
}
