/**
 * An opened store: its states and locks, listings, and close.
 *
 * It contains no logic: the session manages the life cycle, scheduling the order, the backend the data.
 */
import type { ListRequest, Page, StateEntry } from "./backends/contract.ts";
import type { Session } from "./session.ts";
import { withCallersStack } from "./caller-stacks.ts";
import { LockHandle, type Lock, type LockOptions } from "./handles/lock.ts";
import { lockInfo, type LockInfo } from "./handles/lock-info.ts";
import { LockSetHandle, type LockSet } from "./handles/lock-set.ts";
import * as parse from "./options.ts";
import { defaults, type CloseOptions, type ListOptions } from "./options.ts";
import type { Semaphore, SemaphoreOptions } from "./handles/semaphore.ts";
import { SemaphoreHandle } from "./handles/semaphore-handle.ts";
import type { State, StateOptions } from "./handles/state.ts";
import { StateHandle } from "./handles/state-handle.ts";
import { stateful } from "./handles/stateful.ts";
import { transact } from "./handles/transact/transact-call.ts";
import type { AnyState, Drafts, TransactContext, TransactOptions } from "./handles/transact/transact.ts";
import { LeaderHandle } from "./handles/leader/leader-handle.ts";
import type { Leader, LeaderOptions } from "./handles/leader/leader.ts";
import { OnceHandle } from "./handles/once/once-handle.ts";
import type { Once, OnceOptions } from "./handles/once/once.ts";
import { SharedReads } from "./handles/once/shared-reads.ts";
import * as names from "./names.ts";

/** What is known about a stored state without loading it. */
export type StateInfo = StateEntry;

/** The number of entries that a listing requests at a time. */
const pageSize = 500;

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
   * Lists all readable states, in no particular order. A state that exists throughout the listing is listed exactly
   * once.
   */
  states(options?: ListOptions): AsyncIterable<StateInfo>;
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

export class StoreHandle implements Store {
  readonly #session: Session;
  readonly #reads: SharedReads;

  constructor(session: Session) {
    this.#session = session;
    this.#reads = new SharedReads(this.#session);
  }

  get name(): string {
    return this.#session.backend.name;
  }

  get closing(): AbortSignal {
    return this.#session.ending;
  }

  ready(): Promise<this> {
    return withCallersStack(async () => {
      this.#session.admit();
      const { calls, backend } = this.#session;
      await calls.read(`Connecting to ${backend.name}`, () => backend.ready());
      return this;
    });
  }

  state<T>(id: string, options: StateOptions<T> & { initial: () => T }): State<T, T>;
  state<T>(id: string, options?: StateOptions<T>): State<T>;
  state<T>(id: string, options?: StateOptions<T>): State<T, never> {
    return new StateHandle<T, never>(this.#session, id, options);
  }

  lock(id: string, options?: LockOptions): Lock {
    return new LockHandle(this.#session, id, options);
  }

  semaphore(id: string, options?: SemaphoreOptions): Semaphore {
    return new SemaphoreHandle(this.#session, id, options);
  }

  lockAll<const Id extends string>(ids: readonly Id[], options?: LockOptions): LockSet<Id> {
    return new LockSetHandle(this.#session, ids, options);
  }

  stateful<S extends object, A extends unknown[], R>(
    id: string,
    initial: () => S,
    fn: (state: S, ...args: A) => R,
  ): (...args: A) => Promise<Awaited<R>> {
    return stateful(this.state(id, { initial }), fn);
  }

  transact<const States extends readonly AnyState[], R>(
    states: States,
    fn: (drafts: Drafts<States>, context: TransactContext) => R,
    options?: TransactOptions,
  ): Promise<Awaited<R>> {
    return withCallersStack(() => transact(this.#session, { states, fn, options }) as Promise<Awaited<R>>);
  }

  once(id: string, options: OnceOptions): Once {
    return new OnceHandle({ session: this.#session, reads: this.#reads }, id, options);
  }

  leader<T = unknown>(id: string, options?: LeaderOptions): Leader<T> {
    return new LeaderHandle<T>(this.#session, id, options);
  }

  states(options?: ListOptions): AsyncIterable<StateInfo> {
    return this.#list("states()", options, (cursor, request) =>
      this.#session.backend.listStates(cursor, request),
    );
  }

  locks(options?: ListOptions): AsyncIterable<LockInfo> {
    const { backend } = this.#session;
    return this.#list("locks()", options, async (cursor, request) => {
      const page = await backend.listLocks(cursor, request);
      return { ...page, entries: page.entries.map((entry) => lockInfo(entry, backend.clientId)) };
    });
  }

  close(options?: CloseOptions): Promise<void> {
    return withCallersStack(() => {
      const { drainMs } = parse.parseOptions<CloseOptions>("close()", options, { drainMs: parse.drainMs });
      return this.#session.close(drainMs ?? defaults.drainMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Page by page; each page is requested only when the previous one has been used up. */
  #list<Entry extends { readonly id: string }>(
    call: string,
    options: ListOptions | undefined,
    page: (cursor: string | null, request: ListRequest) => Promise<Page<Entry>>,
  ): AsyncIterable<Entry> {
    const { idPrefix } = parse.parseOptions<ListOptions>(call, options, { idPrefix: names.idPrefix });
    const request: ListRequest = { idPrefix: idPrefix ?? "", limit: pageSize };
    const session = this.#session;
    async function* pages(): AsyncGenerator<Entry> {
      const seen = new Set<string>(); // a backend may name an entry again on a later page
      let cursor: string | null = null;
      do {
        const from: string | null = cursor;
        const answer: Page<Entry> = await withCallersStack(() => {
          session.admit();
          return session.calls.read("Listing", () => page(from, request));
        });
        for (const entry of answer.entries) {
          if (!names.isInternal(entry.id) && seen.size !== seen.add(entry.id).size) yield entry;
        }
        cursor = answer.cursor;
      } while (cursor !== null);
    }
    return pages();
  }
}
