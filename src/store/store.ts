/**
 * The public interface of an opened store: its states and locks, listings, and close. The store itself is in
 * store-handle.ts.
 */
import type { Lock, LockOptions } from "../handles/lock.ts";
import type { LockInfo } from "../handles/lock-info.ts";
import type { LockSet } from "../handles/lock-set.ts";
import type { CloseOptions, ListOptions } from "../options.ts";
import type { Semaphore, SemaphoreOptions } from "../handles/semaphore.ts";
import type { State, StateOptions } from "../handles/state/state.ts";
import type { AnyState, Drafts, TransactContext, TransactOptions } from "../handles/transact/transact.ts";
import type { Leader, LeaderOptions } from "../handles/leader/leader.ts";
import type { Once, OnceOptions } from "../handles/once/once.ts";
import type { StateCount, StateInfo, StatesOptions, StateWithValue } from "./states-options.ts";

export type { StateCount, StateInfo, StatesOptions, StateWithValue };

/**
 * An opened backend: shared states and locks. Open it once per process; it connects on first use.
 *
 * @example
 * ```ts
 * await using store = open();
 * const visits = store.state("visits", { initial: () => 0 });
 * await visits.update((n) => n + 1);
 * ```
 */
export interface Store extends AsyncDisposable {
  /** Where the data is, for messages: `redis://localhost:6379`, `sqlite:/path`, `memory:`; never with a password. */
  readonly name: string;
  /**
   * Connects now and checks permissions, to fail early.
   *
   * @throws UnavailableError, within `operationMs`, that names where it tried to connect.
   */
  ready(): Promise<this>;
  /** Returns the handle of a state that has a value when it is absent. */
  state<T>(id: string, options: StateOptions<T> & { initial: () => T }): State<T, T>;
  /** Returns the handle of a state that is `undefined` when it is absent. */
  state<T>(id: string, options?: StateOptions<T>): State<T>;
  /** Returns the handle of a lock. The lock `x` guards the state `x`. */
  lock(id: string, options?: LockOptions): Lock;
  /** Returns the handle of several locks, which are acquired and released together: up to 64 ids, in any order. */
  lockAll<const Id extends string>(ids: readonly Id[], options?: LockOptions): LockSet<Id>;
  /**
   * Returns the handle of a semaphore: at most `permits` at a time, in all processes together.
   *
   * @example
   * ```ts
   * await store.semaphore("gpu", { permits: 4 }).run(async (grant) => render({ signal: grant.signal }));
   * ```
   */
  semaphore(id: string, options?: SemaphoreOptions): Semaphore;
  /**
   * Returns a function with a memory: each call gets the shared state as its first argument and may change it.
   *
   * @example
   * ```ts
   * const nextNumber = store.stateful("invoice-number", () => ({ last: 0 }), (state, year: number) => {
   *   state.last += 1;
   *   return `${year}-${state.last}`;
   * });
   * await nextNumber(2026);
   * ```
   */
  stateful<S extends object, A extends unknown[], R>(
    id: string,
    initial: () => S,
    fn: (state: S, ...args: A) => R,
  ): (...args: A) => Promise<Awaited<R>>;
  /**
   * Changes several states, up to 32, in one commit: all or none of the changes are saved [S9]. `fn` gets a draft of each
   * state, in the same order, and changes it, replaces it (`drafts[0] = …`) or deletes it (`undefined`, or
   * `context.delete(state)`). If it throws, nothing changes. It may be called again if a state has changed without its lock.
   * With `shards`, all must be on one shard: give their ids a common tag in braces.
   *
   * @returns what `fn` returned.
   * @throws what `fn` threw; InvalidArgumentError if the states are not on one shard; LockTimeoutError, LockLostError and
   * others as `state.update`. SerializationError if their new values take more than `maxStateBytes` together.
   * @example
   * ```ts
   * const [from, to] = [store.state("a", { initial: () => ({ cents: 100 }) }), store.state("b", { initial: () => ({ cents: 0 }) })];
   * await store.transact([from, to], ([a, b]) => {
   *   a.cents -= 5;
   *   b.cents += 5;
   * });
   * ```
   */
  transact<const States extends readonly AnyState[], R>(
    states: States,
    fn: (drafts: Drafts<States>, context: TransactContext) => R,
    options?: TransactOptions,
  ): Promise<Awaited<R>>;
  /** Returns the handle of a key for which a function is run once; its result is remembered for `keepMs`. */
  once(id: string, options: OnceOptions): Once;
  /** Returns the handle of an office that one process has at a time. */
  leader<T = unknown>(id: string, options?: LeaderOptions): Leader<T>;
  /**
   * Lists all readable states, page by page. A state that exists throughout the listing is listed exactly once. The order
   * is that of the ids on SQLite, in memory and with `index: true`; elsewhere there is none.
   *
   * With `values: true`, each entry has the state's `value`, or an `error` if it cannot be read; the values of a page come
   * in one round trip.
   *
   * @throws InvalidArgumentError, when the listing begins, if an order is asked for and the store keeps none.
   * @example
   * ```ts
   * for await (const { id, value, error } of store.states({ idPrefix: "user:", values: true, limit: 20 })) {
   *   console.log(id, error?.message ?? value);
   * }
   * ```
   */
  states<T = unknown>(options: StatesOptions & { values: true }): AsyncIterable<StateWithValue<T>>;
  /** Lists all readable states without their values. */
  states(options?: StatesOptions): AsyncIterable<StateInfo>;
  /**
   * Counts the states whose ids begin with `idPrefix`.
   *
   * @returns `exact` is true on SQLite and in memory. With shards, each is counted at an instant of its own. On Redis, a
   * store with an index also counts states that have expired and that no listing has met since; without an index, all keys
   * of the database are walked through.
   * @example
   * ```ts
   * const { count, exact } = await store.count({ idPrefix: "user:" });
   * ```
   */
  count(options?: ListOptions): Promise<StateCount>;
  /** Lists all locks that are held, in no particular order. */
  locks(options?: ListOptions): AsyncIterable<LockInfo>;
  /** Aborts when the store begins to close (`reason`: ClosedError). */
  readonly closing: AbortSignal;
  /**
   * Refuses new calls and rejects waiting ones. Aborts `closing` of the store and of running functions, and gives those up
   * to `drainMs` to finish (calls made inside them still work). Grants that were acquired by hand are released as soon as no
   * call is in progress under them. Then aborts the signals of what still runs, releases every lock and closes what the
   * store opened, within 2 s, even if the backend does not answer. May be repeated.
   */
  close(options?: CloseOptions): Promise<void>;
}
