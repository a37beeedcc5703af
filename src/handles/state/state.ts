/**
 * The public interface of a state: its options, its methods, what is stored. The handle itself is in state-handle.ts.
 */
import type { ExpiresAt } from "../../life-options.ts";
import type { DurabilityOptions, WhenNew } from "../../options.ts";
import type { Grant } from "../../ownership/public-grant.ts";
import type { GrantSet } from "../../ownership/grant-set.ts";
import type { SerializerName } from "../../serializers/named.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import type { Migration, Schema, SchemaOutput, SelfAccepting } from "../../updates/formats/schema.ts";
import type { UpdateContext } from "../../updates/update-context.ts";

/** Rises with each save of a state. Never reused, not even after the state is deleted and created again. */
export type Revision = number;

/** Options of `store.state()`. */
export interface StateOptions<T> {
  /** Makes the value of an absent state. Must be synchronous and return a new value each time. */
  initial?: (() => T) | undefined;
  /**
   * How long the state lives after each write, in milliseconds. `{ whenNew }`: counted from its creation; later writes
   * do not extend it. If omitted, a write leaves the expiry unchanged.
   */
  ttlMs?: number | WhenNew | undefined;
  /** How values are serialized. */
  serializer?: SerializerName | Serializer | undefined;
  /** With a schema: {@link SchemaStateOptions}. */
  schema?: undefined;
  /** The version of the values, from 1. Stored with them; newer values than this are refused. Default 1. */
  version?: number | undefined;
  /**
   * For each older version, a function that makes a value of the next one: `{ 1: (v) => …, 2: … }`. Older values are
   * migrated when they are loaded, and stored by the next save.
   */
  migrate?: Readonly<Record<number, Migration>> | undefined;
  /** Serializers that stored values may have as well: they are read, and saves replace them. Default: none. */
  previousSerializers?: readonly (SerializerName | Serializer)[] | undefined;
  /** How long a function of `update` or `run` may take: see {@link UpdateOptions.maxHoldMs}. */
  maxHoldMs?: number | undefined;
  /** How many replicas must have a write before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `store.state()` with a schema, whose type the values have. */
export interface SchemaStateOptions<S extends Schema> extends Omit<
  StateOptions<SchemaOutput<S>>,
  "initial" | "schema"
> {
  /**
   * What is loaded, drafted and saved is validated with it: a schema of zod, valibot, arktype, or of another library that
   * implements Standard Schema. It must be synchronous, and accept its own output and leave it as it is.
   */
  schema: S & SelfAccepting<S>;
  /** As in {@link StateOptions.initial}. What it returns is validated as well. */
  initial?: (() => SchemaOutput<S>) | undefined;
}

/** Options of every write. */
export interface WriteOptions {
  /** Write under this grant of the state's lock; found automatically inside `lock.run(fn)`. */
  grant?: Grant | GrantSet | undefined;
  /** How long to wait while others hold the state's lock, in milliseconds. */
  waitMs?: number | undefined;
  /** Ends waiting: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
  /** How many replicas must have the write before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `state.touch()`. */
export interface TouchOptions {
  /** Only if the state is at this revision. */
  ifRevision?: Revision | undefined;
  /** How many replicas must have the new expiry before it is acknowledged. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `state.save()` and `state.trySave()`. */
export interface SaveOptions extends WriteOptions {
  /** Save only if the state is at this revision, or absent. */
  ifRevision?: Revision | "absent" | undefined;
  /**
   * The new time to live in milliseconds. "keep": unchanged (the handle's `ttlMs` for a new state). "none": never
   * expires. `{ whenNew }`: applies to a new state only. Default: the handle's `ttlMs`, otherwise "keep".
   */
  ttlMs?: number | "keep" | "none" | WhenNew | undefined;
  /**
   * The time at which the state expires: a Date, or milliseconds since 1970; at most 100 years ahead. The server's clock
   * decides when that is. If it has passed, the state is gone at once. Instead of `ttlMs`.
   */
  expiresAt?: Date | number | undefined;
}

/** Options of `state.update()` and `state.run()`. */
export interface UpdateOptions extends WriteOptions {
  /**
   * As in {@link SaveOptions.ttlMs}. If given, it also counts where the value stays as it is. The function may choose
   * another one: see {@link UpdateContext.setTtl}.
   */
  ttlMs?: number | "keep" | "none" | WhenNew | undefined;
  /** As in {@link SaveOptions.expiresAt}; also where the value stays as it is. */
  expiresAt?: Date | number | undefined;
  /**
   * How long the function may take, in milliseconds. Then its signal aborts, and a second later the lock is given up:
   * nothing is saved, and other calls go on. Default: no limit. Under a grant that the caller has, its limit counts.
   */
  maxHoldMs?: number | undefined;
}

/** Options of `state.delete()` and `state.tryDelete()`. */
export interface DeleteOptions extends WriteOptions {
  /** Delete only if the state is at this revision. */
  ifRevision?: Revision | "absent" | undefined;
}

/** Options of `state.watch()`. */
export interface WatchStateOptions {
  /** Ends the loop, as `break` does, also while it waits for a change. */
  signal?: AbortSignal | undefined;
  /**
   * How often revisions are compared, in milliseconds, 10 … 86 400 000, besides when the backend notices a change. Default:
   * 5 000 while it pushes changes, otherwise 1 000.
   */
  intervalMs?: number | undefined;
}

/** Options of `state.take()`. */
export interface TakeOptions extends WriteOptions {
  /** Take it only if it is at this revision. */
  ifRevision?: Revision | undefined;
}

/** A stored value, with its revision and remaining time to live. */
export interface Snapshot<T> {
  /** The value. */
  readonly value: T;
  /** The revision that it is at. */
  readonly revision: Revision;
  /** Remaining time to live in milliseconds; `null`: it does not expire. */
  readonly expiresInMs: number | null;
}

/**
 * A named value, shared by all processes that open the same store. `D` is the type of a draft: `T`, or `T | undefined`
 * without an `initial`.
 *
 * @example
 * ```ts
 * const stock = store.state("stock:42", { initial: () => ({ left: 500 }) });
 * const sold = await stock.run((s) => {
 *   if (s.left === 0) return false;
 *   s.left -= 1;
 *   return true;
 * });
 * ```
 */
export interface State<T, D = T | undefined> {
  /** As it was given: in a view, without the prefix of the view. */
  readonly id: string;
  /**
   * Returns the value; `initial()` (or `undefined`) if it is absent. Writes nothing.
   *
   * @throws CorruptStateError if the stored data cannot be read; SealError, VersionError or ValidationError if it is sealed
   * with another key, has another version, or does not fit the schema; UnavailableError.
   */
  load(): Promise<D>;
  /**
   * Returns the stored value, its revision and its remaining time to live; `undefined` if it is absent. Throws as
   * `load`.
   */
  read(): Promise<Snapshot<T> | undefined>;
  /**
   * Returns whether there is a state, without loading its value. Also `true` for one that another serializer has written.
   *
   * @throws CorruptStateError if what is stored is not a state; UnavailableError.
   */
  exists(): Promise<boolean>;
  /**
   * Stores the value, which is serialized before `save` returns.
   *
   * @returns the new revision.
   * @throws ConflictError if the state is not at `ifRevision`; LockTimeoutError if others held the state's lock for
   * `waitMs`; LockLostError if the grant that it is written under has ended; SerializationError; ValidationError;
   * CorruptStateError if the data that it would replace is no state, or one of another serializer; VersionError if it is
   * that of a newer release; UnavailableError.
   */
  save(value: T, options?: SaveOptions): Promise<Revision>;
  /** As `save`, but returns `null` instead of throwing a ConflictError: insert-if-absent, compare-and-set. */
  trySave(value: T, options?: SaveOptions): Promise<Revision | null>;
  /**
   * Applies `fn` to the state, atomically across all processes. `fn` changes the draft, or returns the new value. If it
   * throws, nothing changes. Equal bytes are not saved again, and keep their revision. On an absent state, a function that
   * changes nothing and returns nothing stores nothing. `context` can delete the state, and choose how long it lives.
   *
   * @returns the value that is now stored; as `load`, if there is none.
   * @throws what `fn` threw; the errors of `save` and `load`.
   */
  update(
    fn: (draft: D, context: UpdateContext) => T | void | Promise<T | void>,
    options?: UpdateOptions,
  ): Promise<D>;
  /**
   * As `update`, for objects: `fn` changes the draft in place, and its return value is passed on. On an absent state,
   * nothing is stored unless the draft was changed.
   *
   * @returns what `fn` returned.
   */
  run<R>(
    fn: (draft: D & (object | undefined), context: UpdateContext) => R,
    options?: UpdateOptions,
  ): Promise<Awaited<R>>;
  /**
   * Sets a new time to live: in milliseconds from now, "none" (it never expires), or `{ expiresAt }` (a Date, or
   * milliseconds since 1970; if it has passed by the server's clock, the state is gone at once). Value and revision stay,
   * and no lock is needed.
   *
   * @returns false if the state is absent.
   * @throws ConflictError if the state is not at `ifRevision`; CorruptStateError if the stored data is not a state;
   * UnavailableError.
   * @example
   * ```ts
   * const session = store.state("session:ann");
   * await session.touch(30 * 60_000);
   * await session.touch({ expiresAt: new Date(Date.now() + 3_600_000) });
   * ```
   */
  touch(ttl: number | "none" | ExpiresAt, options?: TouchOptions): Promise<boolean>;
  /**
   * Deletes the state.
   *
   * @returns whether there was one.
   * @throws ConflictError if the state is not at `ifRevision`; otherwise as `save`.
   */
  delete(options?: DeleteOptions): Promise<boolean>;
  /** As `delete`, but returns `null` instead of throwing a ConflictError. */
  tryDelete(options?: DeleteOptions): Promise<boolean | null>;
  /**
   * Deletes the state and returns its value, in one step: of several callers, one gets it. It is read under the state's
   * lock, as by `update`.
   *
   * @returns the value that was stored; `undefined` if it was absent, whatever `initial` is.
   * @throws ConflictError if the state is not at `ifRevision`; CorruptStateError if it cannot be read: then it stays;
   * otherwise as `save`.
   * @example
   * ```ts
   * const code = store.state<string>("code:ann");
   * const taken = await code.take(); // a code can be used once
   * if (taken === undefined) throw new Error("used already, or expired");
   * ```
   */
  take(options?: TakeOptions): Promise<T | undefined>;
  /**
   * Yields the state as it is now, then each time that it has changed: its new value, or `undefined` if it was deleted or
   * has expired. Changes that follow each other while the loop is busy may be skipped; the newest is always seen: on Redis
   * and in memory at once, in a SQLite file within 100 ms, and within `intervalMs` if a message is lost. A new time to live
   * alone is no change. Equal bytes that are saved again by `save` are one.
   *
   * The loop ends by `break`, when `signal` aborts, and when the store begins to close. While the backend does not answer,
   * it goes on asking. While it waits, it keeps the process alive.
   *
   * @throws UnavailableError if the first value cannot be loaded, or access is denied; otherwise as `load`.
   *
   * @example
   * ```ts
   * for await (const snapshot of store.state<Settings>("settings").watch({ signal: shutdown })) {
   *   apply(snapshot?.value ?? defaults);
   * }
   * ```
   */
  watch(options?: WatchStateOptions): AsyncIterable<Snapshot<T> | undefined>;
}
