/**
 * The public interface of an opened store: its states and locks, listings, and close; and that of a view of it. The store
 * itself is in opened-store.ts, and what it has in common with its views in store-handle.ts.
 */
import type { IdPart } from "../ids/id.ts";
import type { Lock, LockOptions } from "../handles/lock.ts";
import type { LockInfo } from "../handles/lock-info.ts";
import type { LockSet } from "../handles/lock-set.ts";
import type { CloseOptions, ListOptions } from "../options.ts";
import type {
  DeleteAllOptions,
  DeleteManyOptions,
  DeleteResult,
  LoadManyOptions,
  LoadResult,
  SaveEntry,
  SaveManyOptions,
  SaveResult,
} from "../handles/many/many.ts";
import type { Semaphore, SemaphoreOptions } from "../handles/semaphore.ts";
import type { SchemaStateOptions, State, StateOptions } from "../handles/state/state.ts";
import type { Schema, SchemaOutput } from "../updates/formats/schema.ts";
import type { StateInfo } from "./state-info.ts";
import type { AnyState, Drafts, TransactContext, TransactOptions } from "../handles/transact/transact.ts";
import type { Leader, LeaderOptions } from "../handles/leader/leader.ts";
import type { Once, OnceOptions } from "../handles/once/once.ts";
import type { StateCount, StatesOptions, StateWithValue } from "./states-options.ts";

export type { StateInfo } from "./state-info.ts";
export type { StateCount, StatesOptions, StateWithValue };

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
  /** What the ids of this view begin with in the store, which errors, events and traces name; empty for the store itself. */
  readonly idPrefix: string;
  /**
   * Returns a view: the same states and locks, as far as their ids begin with `prefix`, on the same connections. In a view,
   * ids are given, and returned by handles, grants and listings, without the prefix. Views nest. A function that takes a
   * `StoreView` takes a store as well.
   *
   * @param prefix 1–448 bytes, with those of the views around it; end it with a separator, so that no other view's
   * prefix begins with it. Make untrusted text part of it with `id()`: `store.within(id("tenant", name) + ":")`.
   * @throws InvalidArgumentError for a prefix that no id can begin with.
   * @example
   * ```ts
   * const cache = store.within("cache:");
   * await cache.state("front-page").save("<html>"); // the state cache:front-page of the store
   * ```
   */
  within(prefix: string): StoreView;
  /**
   * Makes an id of parts, as the function `id`. In a view, it leaves room for the prefix: it is hashed if it would be longer
   * than 512 bytes with it.
   *
   * @throws InvalidArgumentError without parts, or for a part that is not a string, a safe integer or a bigint.
   */
  id(...parts: readonly IdPart[]): string;
  /**
   * Returns the handle of a state whose values are validated, and have the type of the schema. Without `initial`, it is
   * `undefined` when it is absent.
   *
   * @typeParam Initial The type of `initial`, or `undefined` without one.
   */
  state<S extends Schema, Initial extends (() => SchemaOutput<S>) | undefined>(
    id: string,
    options: SchemaStateOptions<S> & { initial?: Initial },
  ): State<SchemaOutput<S>, Initial extends () => unknown ? SchemaOutput<S> : SchemaOutput<S> | undefined>;
  /** Returns the handle of a state that has a value when it is absent. */
  state<T>(id: string, options: StateOptions<T> & { initial: () => T }): State<T, T>;
  /** Returns the handle of a state that is `undefined` when it is absent. */
  state<T>(id: string, options?: StateOptions<T>): State<T>;
  /**
   * Loads many states in as few round trips as possible. They are not read at one time: each value is whole, but another
   * process may save between two of them. `initial`, schemas and versions belong to handles: a value of another version than
   * 1 is an `error`.
   *
   * @param ids any number of them, in any iterable.
   * @returns an answer for each id, in their order: its value and revision, both without a value if it is absent, or the
   * `error` of a state that cannot be read. Check `error` before you take a state for absent.
   * @throws UnavailableError if one of the calls got no answer: then no result is returned. InvalidArgumentError.
   * @example
   * ```ts
   * for (const { id, value, error } of await store.loadMany<Cart>(["cart:1", "cart:2"])) {
   *   if (error) console.warn(`${id} cannot be read: ${error.message}`);
   *   else if (value) checkOut(value);
   * }
   * ```
   */
  loadMany<T = unknown>(ids: Iterable<string>, options?: LoadManyOptions): Promise<LoadResult<T>[]>;
  /**
   * Saves many states in as few round trips as possible. Each is saved atomically by itself; together they are not: other
   * processes may see some of them saved and others not, and so does an end of this process in the middle. Use
   * `transact` for all or nothing. All entries are checked and serialized before anything is sent.
   *
   * A state whose lock others hold waits for its turn, up to `waitMs`, while the others are saved. Schemas and versions
   * belong to handles: values are not validated here, and have version 1.
   *
   * @returns an answer for each entry, in their order: its new revision, or its `error`: ConflictError,
   * LockTimeoutError, LockLostError, CorruptStateError, VersionError or UnavailableError, as `state.save` throws them. Check
   * them.
   * @throws InvalidArgumentError for a bad id or option, or an id that is given twice, and SerializationError: then nothing
   * was written. UnavailableError if no entry got another answer. The reason of `signal`.
   * @example
   * ```ts
   * const results = await store.saveMany([
   *   { id: "price:1", value: 250 },
   *   { id: "price:2", value: 400, ifRevision: "absent" },
   * ]);
   * const failed = results.filter(({ error }) => error !== undefined);
   * ```
   */
  saveMany(entries: Iterable<SaveEntry>, options?: SaveManyOptions): Promise<SaveResult[]>;
  /**
   * Deletes many states in as few round trips as possible, each by itself as in `saveMany`.
   *
   * @returns an answer for each id, in their order: whether there was a state, or its `error` as in `saveMany`.
   * @throws as `saveMany`.
   * @example
   * ```ts
   * const results = await store.deleteMany(["price:1", "price:2"]);
   * const found = results.filter(({ deleted }) => deleted).length;
   * ```
   */
  deleteMany(ids: Iterable<string>, options?: DeleteManyOptions): Promise<DeleteResult[]>;
  /**
   * Deletes all states whose ids begin with `idPrefix`, in batches, each by itself. `""` deletes all states; locks,
   * semaphores and what `once` remembers stay. A state that is created meanwhile may be left. A state whose lock others
   * hold waits for its turn, up to `waitMs`, while the others are deleted.
   *
   * @returns how many states were deleted.
   * @throws an error that says how many were deleted and names some that were not, once all others are deleted:
   * LockTimeoutError if their locks were held for `waitMs`; CorruptStateError if they are no states, which are left as
   * they are; UnavailableError. Call it again for the rest. InvalidArgumentError without `idPrefix`.
   * @example
   * ```ts
   * const count = await store.deleteAll({ idPrefix: "session:" });
   * ```
   */
  deleteAll(options: DeleteAllOptions): Promise<number>;
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
   * Changes several states, up to 32, in one commit: all or none of the changes are saved. `fn` gets a draft of each
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

/**
 * A store, or a part of it: its states and locks whose ids begin with `idPrefix`, without the life of the store, which only
 * the store itself has. What `store.within()` returns.
 */
export type StoreView = Omit<Store, "ready" | "close" | typeof Symbol.asyncDispose>;
