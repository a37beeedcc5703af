/**
 * What Holdfast traces: the names of its tracing channels, and the objects that their events carry.
 *
 * Each traced call has one object. `start` is published with it in the async context of the call, so that stores that
 * were bound to `start` with `bindStore()` are set for all that the call does, such as the function of `lock.run()`. `end`
 * follows when the call has returned its promise, `asyncEnd` when that is settled, and `error` before it if it was
 * rejected. What is known only later is added to the object meanwhile. It has ids and errors, never values [P3].
 *
 * Without a subscriber, no object is made.
 */
import { tracingChannel } from "node:diagnostics_channel";

/**
 * How a traced call ended. "busy": it only tried, and others hold the lock. "refused": the call is wrong, or a value is.
 * "failed": a function of the caller threw, or a backend of the caller's own.
 */
export type TraceOutcome =
  | "granted"
  | "released"
  | "saved"
  | "unchanged"
  | "answered"
  | "busy"
  | "timeout"
  | "deadlock"
  | "aborted"
  | "lost"
  | "conflict"
  | "closed"
  | "refused"
  | "unavailable"
  | "failed";

interface Trace {
  /** Set when it ends. */
  outcome?: TraceOutcome;
  /** Why it failed. */
  error?: unknown;
}

/** What is locked: an exclusive lock, a shared one, several, permits of a semaphore, or the office of a leader. */
export type LockKind = "lock" | "shared" | "locks" | "semaphore" | "leader";

/** The object of `holdfast:acquire`: from the call to the grant, or to the error. */
export interface AcquireTrace extends Trace {
  /** What is acquired. */
  readonly kind: LockKind;
  /** As callers know them. More than one: `lockAll()`. */
  readonly ids: readonly string[];
  /** The number of permits. */
  readonly weight?: number;
  /** Set when it ends, in milliseconds. */
  waitedMs?: number;
  /** Set when it is granted: of each id. */
  fences?: readonly number[];
  /** Set when it is granted: the caller held it already. Such a grant has no hold of its own. */
  nested?: boolean;
}

/** The object of `holdfast:hold`: from the grant to its release or loss. */
export interface HoldTrace extends Trace {
  /** What is held. */
  readonly kind: LockKind;
  /** As callers know them. More than one: `lockAll()`. */
  readonly ids: readonly string[];
  /** Of each id. */
  readonly fences: readonly number[];
  /** The number of permits, of a semaphore. */
  readonly weight?: number;
}

/** The method that changes a state. */
export type UpdateKind = "update" | "run" | "save" | "delete" | "take" | "transact" | "once";

/** The object of `holdfast:update`: from the call to its answer. */
export interface UpdateTrace extends Trace {
  /** The method that was called. */
  readonly kind: UpdateKind;
  /** More than one: `transact()`. */
  readonly ids: readonly string[];
  /** From the call until its function was called first, in milliseconds. */
  waitedMs?: number;
  /** Those under which it was made, of each id; not of a plain write. */
  fences?: readonly number[];
  /** The save that it was part of, which all callers of a batch share. */
  save?: SaveTrace;
}

/** The object of `holdfast:save`: one write of a state, with the changes of one caller or more. */
export interface SaveTrace extends Trace {
  /** The states that are written. More than one: `transact()`. */
  readonly ids: readonly string[];
  /** The calls that it answers, as far as they are traced. */
  readonly updates: readonly UpdateTrace[];
  /** The number of all calls that it answers. */
  readonly size: number;
  /** The size of the value; 0 for a delete. */
  readonly bytes: number;
}

/** The object of `holdfast:call`: one attempt of a call of the backend. */
export interface CallTrace extends Trace {
  /** What it is for: `Saving the state`. */
  readonly doing: string;
  /** Empty: it is not about one id. */
  readonly ids: readonly string[];
  /** From 1. */
  readonly attempt: number;
}

/**
 * The tracing channels. Each has five channels of its own: `tracing:holdfast:acquire:start` and so on.
 */
export const traces = {
  acquire: tracingChannel<unknown, AcquireTrace>("holdfast:acquire"),
  hold: tracingChannel<unknown, HoldTrace>("holdfast:hold"),
  update: tracingChannel<unknown, UpdateTrace>("holdfast:update"),
  save: tracingChannel<unknown, SaveTrace>("holdfast:save"),
  call: tracingChannel<unknown, CallTrace>("holdfast:call"),
} as const;
