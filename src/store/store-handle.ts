/**
 * An opened store: its states and locks, listings, and close.
 *
 * It contains no logic: the session manages the life cycle, scheduling the order, the backend the data.
 */
import type { Session } from "../session.ts";
import { withCallersStack } from "../caller-stacks.ts";
import { LockHandle, type Lock, type LockOptions } from "../handles/lock.ts";
import { lockInfo, type LockInfo } from "../handles/lock-info.ts";
import { LockSetHandle, type LockSet } from "../handles/lock-set.ts";
import * as parse from "../options.ts";
import { defaults, type CloseOptions, type ListOptions } from "../options.ts";
import type { Semaphore, SemaphoreOptions } from "../handles/semaphore.ts";
import { SemaphoreHandle } from "../handles/semaphore-handle.ts";
import type { State, StateOptions } from "../handles/state/state.ts";
import { StateHandle } from "../handles/state/state-handle.ts";
import { stateful } from "../handles/state/stateful.ts";
import { transact } from "../handles/transact/transact-call.ts";
import type { AnyState, Drafts, TransactContext, TransactOptions } from "../handles/transact/transact.ts";
import { LeaderHandle } from "../handles/leader/leader-handle.ts";
import type { Leader, LeaderOptions } from "../handles/leader/leader.ts";
import { OnceHandle } from "../handles/once/once-handle.ts";
import type { Once, OnceOptions } from "../handles/once/once.ts";
import { SharedReads } from "../handles/once/shared-reads.ts";
import { countStates, list, listStates } from "./listing.ts";
import type { StateCount, StateInfo, StatesOptions, StateWithValue } from "./states-options.ts";
import type { Store } from "./store.ts";

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

  states<T = unknown>(options: StatesOptions & { values: true }): AsyncIterable<StateWithValue<T>>;
  states(options?: StatesOptions): AsyncIterable<StateInfo>;
  states(options?: StatesOptions): AsyncIterable<StateInfo> {
    return listStates(this.#session, options);
  }

  count(options?: ListOptions): Promise<StateCount> {
    return withCallersStack(() => countStates(this.#session, options));
  }

  locks(options?: ListOptions): AsyncIterable<LockInfo> {
    const { backend } = this.#session;
    return list(this.#session, { call: "locks()", options }, async (cursor, request) => {
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
}
