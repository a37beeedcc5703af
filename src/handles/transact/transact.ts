/** The public interface of a change of several states: its options, and what its function gets. */
import type { ExpiresAt } from "../../life-options.ts";
import type { DurabilityOptions, WhenNew } from "../../options.ts";
import type { Grant } from "../../ownership/public-grant.ts";
import type { GrantSet } from "../../ownership/grant-set.ts";
import type { State } from "../state/state.ts";

/** A state of any type. */
export type AnyState = State<unknown, unknown>;

/** The drafts of these states, in their order. */
export type Drafts<States extends readonly AnyState[]> = {
  -readonly [Index in keyof States]: States[Index] extends State<infer _Value, infer Draft> ? Draft : never;
};

/** Options of `store.transact()`. */
export interface TransactOptions {
  /** How long to wait while others hold the locks of the states, in milliseconds, for all of them together. */
  waitMs?: number | undefined;
  /** Ends waiting: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
  /** How many replicas must have the commit before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
  /** A grant of some of the locks, which is used for these; found automatically inside `lock.run(fn)`. */
  grant?: Grant | GrantSet | undefined;
  /**
   * How long the function may take, in milliseconds. Then its signal aborts, and a second later the locks are given up:
   * nothing is saved, and other calls go on. Default: no limit. If the caller holds all the locks, their limits count.
   */
  maxHoldMs?: number | undefined;
}

/** What the function of `store.transact()` learns about the locks that it runs under, besides its drafts. */
export interface TransactContext {
  /** The fencing token of each state's lock, by its id in the store, or in the view whose `transact()` was called. */
  readonly fences: Readonly<Record<string, number>>;
  /** Aborts when one of the locks is lost: nothing will be saved. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the store begins to close (`reason`: ClosedError), while the locks are still held: finish what must be
   * finished, within `drainMs`. One signal for the whole store.
   */
  readonly closing: AbortSignal;
  /** Deletes this state, whatever its draft is. It must be one of those of the call. */
  readonly delete: (state: Pick<AnyState, "id">) => void;
  /**
   * Chooses how long this state lives from this change on, also if its draft stays as it is: as
   * {@link UpdateContext.setTtl}. A state that is deleted, or absent and not changed, is not affected.
   *
   * @throws InvalidArgumentError if it is none of the states of the call, or `ttl` is not allowed.
   */
  readonly setTtl: (state: Pick<AnyState, "id">, ttl: number | "keep" | "none" | WhenNew | ExpiresAt) => void;
}
