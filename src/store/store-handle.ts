/**
 * The states and locks of a store, or of a view of it, and its listings.
 *
 * It contains no logic: the session manages the life cycle, scheduling the order, the backend the data. Every id that a
 * user gives goes through the scope, which knows the prefix of the view: `key()` on the way in, `idOf()` on the way out.
 */
import type { Session } from "../session.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { LockHandle, type Lock, type LockOptions } from "../handles/lock.ts";
import { lockInfo, type LockInfo } from "../handles/lock-info.ts";
import { LockSetHandle, type LockSet } from "../handles/lock-set.ts";
import { deleteAll } from "../handles/many/delete-all.ts";
import { deleteMany } from "../handles/many/delete-many.ts";
import { asCallerSeesAll, loadMany } from "../handles/many/load-many.ts";
import type * as many from "../handles/many/many.ts";
import { saveMany } from "../handles/many/save-many.ts";
import { idOf, type IdPart } from "../ids/id.ts";
import type { ListOptions } from "../options.ts";
import type { Scope } from "../handles/scope.ts";
import type { Semaphore, SemaphoreOptions } from "../handles/semaphore.ts";
import { SemaphoreHandle } from "../handles/semaphore-handle.ts";
import type { SchemaStateOptions, State, StateOptions } from "../handles/state/state.ts";
import { StateHandle } from "../handles/state/state-handle.ts";
import { stateful } from "../handles/state/stateful.ts";
import { transact } from "../handles/transact/transact-call.ts";
import type { AnyState, Drafts, TransactContext, TransactOptions } from "../handles/transact/transact.ts";
import { LeaderHandle } from "../handles/leader/leader-handle.ts";
import type { Leader, LeaderOptions } from "../handles/leader/leader.ts";
import { OnceHandle } from "../handles/once/once-handle.ts";
import type { Once, OnceOptions } from "../handles/once/once.ts";
import { SharedReads } from "../handles/once/shared-reads.ts";
import type { Schema, SchemaOutput } from "../updates/formats/schema.ts";
import { countStates, list, listStates } from "./listing.ts";
import type { StateInfo } from "./state-info.ts";
import type { StateCount, StatesOptions, StateWithValue } from "./states-options.ts";
import type { StoreView } from "./store.ts";

export class StoreHandle implements StoreView {
  readonly #session: Session;
  readonly #scope: Scope;
  readonly #reads: SharedReads;

  constructor(scope: Scope, reads = new SharedReads(scope.session)) {
    this.#session = scope.session;
    this.#scope = scope;
    this.#reads = reads;
  }

  get name(): string {
    return this.#session.backend.name;
  }

  get idPrefix(): string {
    return this.#scope.prefix;
  }

  get closing(): AbortSignal {
    return this.#session.ending;
  }

  within(prefix: string): StoreView {
    return new StoreHandle(this.#scope.within(prefix), this.#reads);
  }

  id(...parts: readonly IdPart[]): string {
    return idOf(parts, this.#scope.maxIdBytes);
  }

  state<S extends Schema, Initial extends (() => SchemaOutput<S>) | undefined>(
    id: string,
    options: SchemaStateOptions<S> & { initial?: Initial },
  ): State<SchemaOutput<S>, Initial extends () => unknown ? SchemaOutput<S> : SchemaOutput<S> | undefined>;
  state<T>(id: string, options: StateOptions<T> & { initial: () => T }): State<T, T>;
  state<T>(id: string, options?: StateOptions<T>): State<T>;
  state<T>(id: string, options?: StateOptions<T>): State<T, never> {
    return new StateHandle<T, never>(this.#scope, id, options);
  }

  loadMany<T>(ids: Iterable<string>, options?: many.LoadManyOptions): Promise<many.LoadResult<T>[]> {
    return withCallersStack(() => loadMany<T>(this.#scope, ids, options), asCallerSeesAll);
  }

  saveMany(entries: Iterable<many.SaveEntry>, options?: many.SaveManyOptions): Promise<many.SaveResult[]> {
    return withCallersStack(() => saveMany(this.#scope, entries, options), asCallerSeesAll);
  }

  deleteMany(ids: Iterable<string>, options?: many.DeleteManyOptions): Promise<many.DeleteResult[]> {
    return withCallersStack(() => deleteMany(this.#scope, ids, options), asCallerSeesAll);
  }

  deleteAll(options: many.DeleteAllOptions): Promise<number> {
    return withCallersStack(() => deleteAll(this.#scope, options));
  }

  lock(id: string, options?: LockOptions): Lock {
    return new LockHandle(this.#scope, id, options);
  }

  semaphore(id: string, options?: SemaphoreOptions): Semaphore {
    return new SemaphoreHandle(this.#scope, id, options);
  }

  lockAll<const Id extends string>(ids: readonly Id[], options?: LockOptions): LockSet<Id> {
    return new LockSetHandle(this.#scope, ids, options);
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
    return withCallersStack(() => transact(this.#scope, { states, fn, options }) as Promise<Awaited<R>>);
  }

  once(id: string, options: OnceOptions): Once {
    return new OnceHandle({ scope: this.#scope, reads: this.#reads }, id, options);
  }

  leader<T = unknown>(id: string, options?: LeaderOptions): Leader<T> {
    return new LeaderHandle<T>(this.#scope, id, options);
  }

  states<T = unknown>(options: StatesOptions & { values: true }): AsyncIterable<StateWithValue<T>>;
  states(options?: StatesOptions): AsyncIterable<StateInfo>;
  states(options?: StatesOptions): AsyncIterable<StateInfo> {
    return listStates(this.#scope, options);
  }

  count(options?: ListOptions): Promise<StateCount> {
    return withCallersStack(() => countStates(this.#scope, options));
  }

  locks(options?: ListOptions): AsyncIterable<LockInfo> {
    const { backend } = this.#session;
    return list(this.#scope, { call: "locks()", options }, async (cursor, request) => {
      const page = await backend.listLocks(cursor, request);
      return { ...page, entries: page.entries.map((entry) => lockInfo(entry, backend.clientId)) };
    });
  }
}
