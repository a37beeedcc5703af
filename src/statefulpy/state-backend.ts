/**
 * The methods that both backends of holdfast/statefulpy have, with the names, the order of arguments and the units of the
 * Python library. docs/from-statefulpy.md has the table of them, and of each difference.
 */
import { fromCaller, withCallersStack } from "../caller-stacks.ts";
import { InvalidArgumentError } from "../errors.ts";
import { show } from "../options.ts";
import { coreOf } from "./core.ts";
import { checkHealth } from "./healthcheck.ts";
import { scopesHere, type Owner } from "./locking/owner.ts";
import * as parse from "./options.ts";
import type { AcquireOptions, ListOptions, OwnerOptions } from "./options.ts";

/** One entry of `list()`. */
export interface StateEntry {
  /** The id of the state. */
  readonly id: string;
  /** When it was last saved, to the second; SQLite only. */
  readonly updatedAt?: Date | undefined;
}

/**
 * States and locks as the Python library statefulpy keeps them: a `RedisBackend` or a `SqliteBackend`.
 *
 * A lock belongs to an owner: the innermost `owner(fn)` around the call, or the `owner` that is passed. Every method
 * rejects with UnavailableError if the server does not answer within 5 s or refuses, and with ClosedError after `close()`.
 */
export abstract class StateBackend implements AsyncDisposable {
  /**
   * Loads a state.
   *
   * @param id 1 to 512 bytes of UTF-8.
   * @returns The value; `null` if there is none, and only then.
   * @throws CorruptStateError if it cannot be read: it is left as it is.
   * @example
   * ```ts
   * const state = (await backend.loadState("module.function")) ?? {};
   * ```
   */
  loadState(id: string): Promise<unknown> {
    return withCallersStack(() => {
      const core = coreOf(this);
      core.refuseClosed();
      return core.load(parse.parseId(id));
    });
  }

  /**
   * Saves a state, and removes a time to live that it had.
   *
   * If the owner of the call holds the lock of this id, the server checks that in the same step. Otherwise it is a plain
   * write, as in Python, which is not repeated if its answer is lost.
   *
   * @param data Not `null` or `undefined`, which an absent state loads as.
   * @returns `true`.
   * @throws LockLostError if the owner's lock was lost, until the owner has released it: nothing was saved;
   * SerializationError if the serializer cannot keep the value.
   */
  saveState(id: string, data: unknown, options?: OwnerOptions): Promise<true> {
    return withCallersStack(async () => {
      const core = coreOf(this);
      core.refuseClosed();
      const { owner } = parse.parseOwnerOptions("saveState()", options);
      await core.save(parse.parseId(id), data, core.ownerOf(owner));
      return true as const;
    });
  }

  /**
   * Acquires the lock of an id, waiting for others if it must. It is renewed until it is released.
   *
   * Inside of `owner(fn)`, a lock that the scope holds is acquired again, and counted. Outside of a scope, a second call
   * never re-enters: it waits for the first to release, even one that has lost the lock.
   *
   * @param timeoutSeconds How long to wait, in seconds. 0 tries once. Default 10.
   * @returns `true`.
   * @throws LockTimeoutError if others held it until then; LockLostError if this owner has lost it, and not released it
   * yet; the reason of `signal` if that is aborted.
   */
  acquireLock(id: string, timeoutSeconds = 10, options?: AcquireOptions): Promise<true> {
    return withCallersStack(async () => {
      const core = coreOf(this);
      core.refuseClosed();
      const { owner, signal } = parse.parseAcquireOptions(options);
      const waitMs = parse.parseTimeout(timeoutSeconds);
      const by = core.ownerOf(owner);
      await core.locks.acquire({ id: parse.parseId(id), owner: by, waitMs, signal, isInside: scopesHere() });
      return true as const;
    });
  }

  /**
   * Releases the lock of an id; of nested calls, the last release frees it.
   *
   * @returns `true`.
   * @throws InvalidArgumentError if the owner of the call does not hold it; LockLostError if it was lost in the meantime.
   */
  releaseLock(id: string, options?: OwnerOptions): Promise<true> {
    return withCallersStack(async () => {
      const core = coreOf(this);
      core.refuseClosed();
      const { owner } = parse.parseOwnerOptions("releaseLock()", options);
      await core.locks.release(parse.parseId(id), core.ownerOf(owner));
      return true as const;
    });
  }

  /**
   * Runs `fn` as an owner of locks, which its calls and the async tasks that it starts belong to. Locks that it still holds
   * when `fn` has ended are released; if the server does not answer that, they end with their leases. An `owner()` inside of another one is another owner.
   *
   * @returns What `fn` returns.
   * @throws What `fn` throws; LockLostError, with `result`, if `fn` returned although a lock that it had not released was
   * lost.
   * @example
   * ```ts
   * await backend.owner(async ({ signal }) => {
   *   await backend.acquireLock("report");
   *   await backend.saveState("report", await makeReport({ signal }));
   * });
   * ```
   */
  owner<R>(fn: (owner: Owner) => R | PromiseLike<R>): Promise<R> {
    return withCallersStack(() => {
      const core = coreOf(this);
      core.refuseClosed();
      if (typeof fn !== "function")
        throw new InvalidArgumentError(`owner() takes a function; got ${show(fn)}.`);
      return core.runOwner(async (owner) => {
        try {
          return await fn(owner);
        } catch (error) {
          throw fromCaller(error);
        }
      });
    });
  }

  /**
   * Makes an owner to pass as `{ owner }`, for calls that no function encloses. What it acquires, it must release.
   *
   * @returns The owner. Its signal aborts when a lock that it holds is lost.
   */
  createOwner(): Owner {
    const core = coreOf(this);
    core.refuseClosed();
    return core.newOwner();
  }

  /**
   * Lists the ids of all states. On SQLite in the order of the ids; on Redis in no order, and an id may come twice while
   * Redis resizes its table of keys.
   *
   * @param options `idPrefix`: only ids that begin with this.
   */
  async *list(options?: ListOptions): AsyncGenerator<StateEntry, void, undefined> {
    const core = coreOf(this);
    const { idPrefix = "" } = parse.parseListOptions(options);
    const entries = core.list(idPrefix);
    for (;;) {
      const next = await withCallersStack(() => entries.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  /**
   * Writes, reads, locks, saves under the lock and releases an id of its own, and leaves nothing behind.
   *
   * @returns `true`.
   * @throws The error that says what does not work.
   */
  healthcheck(): Promise<true> {
    return withCallersStack(async () => {
      const core = coreOf(this);
      core.refuseClosed();
      await checkHealth(core);
      return true as const;
    });
  }

  /**
   * Releases all locks, rejects calls that wait, and closes the connection or the file; a client that was passed in stays
   * open, and is its owner's to close. Never rejects.
   */
  close(): Promise<void> {
    return coreOf(this).close();
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
