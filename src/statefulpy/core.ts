/**
 * What a backend of holdfast/statefulpy does, under its public methods: states as bytes, locks, listings, closing.
 *
 * The public classes keep theirs in a WeakMap, so that their declarations show nothing of it.
 */
import type { PlainEntry, PlainPage } from "../backends/contract-plain.ts";
import { ClosedError, InvalidArgumentError, LockLostError, quoted, UnavailableError } from "../errors.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { Locks } from "./locking/locks.ts";
import { OwnerScope, ownerOf, scopeAround } from "./locking/owner.ts";
import type { Place } from "./places.ts";
import { decode, encode } from "./serializers.ts";
import { StoreCalls } from "./store-calls.ts";

export interface CoreOptions {
  readonly place: Place;
  readonly serializer: Serializer;
  readonly leaseMs: number;
}

export class Core {
  readonly serializer: Serializer;
  readonly locks: Locks;
  readonly #calls: StoreCalls;
  readonly #nobody = new OwnerScope(this, true);
  readonly #tasks = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor({ place, serializer, leaseMs }: CoreOptions) {
    this.serializer = serializer;
    this.#calls = new StoreCalls(place);
    this.locks = new Locks(this.#calls, leaseMs);
  }

  get name(): string {
    return this.#calls.name;
  }

  /** Refuses a call after close(). */
  refuseClosed(): void {
    this.#calls.refuseClosed();
  }

  async load(id: string): Promise<unknown> {
    this.refuseClosed();
    const bytes = await this.loadBytes(id);
    return bytes === null ? null : decode(this.serializer, id, bytes);
  }

  /** As they are stored. */
  loadBytes(id: string): Promise<Uint8Array | null> {
    return this.#calls.run({ doing: "loading the state", id }, (store) => store.load(id));
  }

  /** Under the owner's lock, if it has it: then refused if the lock was lost. */
  async save(id: string, value: unknown, owner: OwnerScope): Promise<void> {
    const bytes = encode(this.serializer, id, value);
    await this.saveBytes(id, bytes, owner);
  }

  async saveBytes(id: string, bytes: Uint8Array, owner: OwnerScope): Promise<void> {
    this.refuseClosed();
    const token = this.locks.tokenFor(id, owner);
    if (token === undefined) this.#refuseLeftBehind(id);
    const subject = { doing: "saving the state", id };
    if (token === undefined) {
      await this.#calls.runOnce(subject, (store) => store.save(id, bytes, undefined));
      return;
    }
    let mayBeSaved = false;
    const reply = await this.#calls.run(subject, (store, isRetry) => {
      mayBeSaved = isRetry;
      return store.save(id, bytes, token);
    });
    if (reply === "lost") throw this.locks.refused(id, token, mayBeSaved);
  }

  async remove(id: string): Promise<void> {
    await this.#calls.run({ doing: "deleting the state", id }, (store) => store.remove(id));
  }

  async *list(idPrefix: string): AsyncGenerator<PlainEntry> {
    for await (const { entries } of this.pages(idPrefix)) yield* entries;
  }

  /** A listing, with what it skips. */
  async *pages(idPrefix: string): AsyncGenerator<PlainPage> {
    let cursor: string | null = null;
    do {
      this.refuseClosed();
      const from: string | null = cursor;
      const page: PlainPage = await this.#calls.run("listing the states", (store) =>
        store.list(from, idPrefix),
      );
      yield page;
      ({ cursor } = page);
    } while (cursor !== null);
  }

  /** Does not close before it has ended: it cleans up after itself. */
  async beforeClosing<R>(task: () => Promise<R>): Promise<R> {
    const running = task();
    this.#tasks.add(running);
    try {
      return await running;
    } finally {
      this.#tasks.delete(running);
    }
  }

  /** Whose call it is: the owner that was passed, or that of the innermost scope, or nobody's. */
  ownerOf(given: unknown): OwnerScope {
    if (given !== undefined) return ownerOf(this, given);
    const scope = scopeAround(this);
    if (scope === undefined) return this.#nobody;
    return scope.isOver ? scope.afterwards : scope;
  }

  newOwner(): OwnerScope {
    return new OwnerScope(this);
  }

  /** Runs `fn` in a new scope, and releases what it holds in the end. */
  async runOwner<R>(fn: (owner: OwnerScope) => R | PromiseLike<R>): Promise<R> {
    const owner = this.newOwner();
    let result: R;
    try {
      result = await owner.run(() => fn(owner));
    } catch (error) {
      await this.#endScope(owner).catch(() => undefined); // the function's own error counts
      throw error;
    }
    try {
      await this.#endScope(owner);
    } catch (error) {
      if (error instanceof UnavailableError) return result; // the function ended while it held: the lease ends the lock
      if (!(error instanceof LockLostError)) throw error;
      throw new LockLostError(error.message, { outcome: error.outcome, cause: error, result });
    }
    return result;
  }

  /** Rejects waiters, gives back all locks, and closes what was opened. Never throws. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const error = new ClosedError(`${this.name} was closed.`);
    this.#calls.stop();
    await this.locks.close(error);
    await Promise.allSettled(this.#tasks);
    await this.locks.leftOver();
    await this.#calls.close();
  }

  async #endScope(owner: OwnerScope): Promise<void> {
    owner.end([...owner.holds.keys()]);
    await this.locks.releaseAll(owner);
  }

  /** A task that outlives its scope does not have the lock any more, whatever it believes. */
  #refuseLeftBehind(id: string): void {
    const scope = scopeAround(this);
    if (scope?.wasLeft(id) !== true) return;
    throw new LockLostError(
      `The lock ${quoted(id)} was released when the function of its owner() ended, and the state was not saved: await ` +
        `all that the function starts.`,
    );
  }
}

const cores = new WeakMap<object, Core>();

export function setCore(backend: object, core: Core): void {
  cores.set(backend, core);
}

export function findCore(backend: unknown): Core | undefined {
  return typeof backend === "object" && backend !== null ? cores.get(backend) : undefined;
}

export function coreOf(backend: object): Core {
  const core = cores.get(backend);
  if (core === undefined)
    throw new InvalidArgumentError("This method was called on something that is not its backend.");
  return core;
}
