/**
 * The handle that a user has of a state: reads go straight to the backend, writes go through the cohort of its id or
 * under a grant that the caller holds [S8]. It parses options at the door; it knows nothing of queues and leases.
 */
import type { Durability, Life, StoredState, TouchReply } from "./backends/contract.ts";
import type { Client } from "./session.ts";
import { Codec } from "./updates/codec.ts";
import { door, isFromCaller, runForCaller } from "./caller-errors.ts";
import { tellDurably } from "./calls/durability.ts";
import { ConflictError, InvalidArgumentError } from "./errors.ts";
import { parseGrant, type Grant, type HeldGrant } from "./ownership/grant.ts";
import { insideDraft, nearestHeld } from "./ownership/owner-context.ts";
import { StateJob, type Patience, type StateTask } from "./scheduling/request.ts";
import { throwIfAborted } from "./ownership/abort-signals.ts";
import { runUnder } from "./updates/under-grant.ts";
import * as parse from "./options.ts";
import { someOf, type DurabilityOptions, type WhenNew } from "./options.ts";
import type { Serializer } from "./serializers/serializer.ts";
import { DeleteTask, RunTask, SaveTask, UpdateTask, type DraftCall, type Turn } from "./updates/change.ts";

/** Rises with each save of a state; never reused, not even after delete and re-create. */
export type Revision = number;

/** Options of `store.state()`. */
export interface StateOptions<T> {
  /** The value of a state that is absent; synchronous, and a new value at each call. */
  initial?: () => T;
  /**
   * How long the state lives after each write, in milliseconds; `{ whenNew }`: so long after it was made, whatever is written
   * later. Without it, a write keeps the life that the state has.
   */
  ttlMs?: number | WhenNew;
  /** How values are kept. */
  serializer?: "json" | Serializer;
  /** How many replicas must have a write before it is acknowledged. */
  durability?: DurabilityOptions;
}

/** What every write takes. */
export interface WriteOptions {
  /** Write under this grant of the state's lock; found by itself inside `lock.run(fn)`. */
  grant?: Grant;
  /** How long to wait for others that hold the state's lock, in milliseconds. */
  waitMs?: number;
  /** Ends waiting: the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** How many replicas must have the write before it is acknowledged. */
  durability?: DurabilityOptions;
}

/** Options of `state.touch()`. */
export interface TouchOptions {
  durability?: DurabilityOptions;
}

/** Options of `state.save()` and `state.trySave()`. */
export interface SaveOptions extends WriteOptions {
  /** Save only if the state is at this revision, or absent. */
  ifRevision?: Revision | "absent";
  /**
   * The new life in milliseconds; "keep": what it had, and the handle's `ttlMs` when it is new; "none": for ever;
   * `{ whenNew }`: a life for a new state, else what it had. Default: the handle's `ttlMs`, else "keep".
   */
  ttlMs?: number | "keep" | "none" | WhenNew;
}

/** Options of `state.update()` and `state.run()`. */
export interface UpdateOptions extends WriteOptions {
  /** As in {@link SaveOptions.ttlMs}. */
  ttlMs?: number | "keep" | "none" | WhenNew;
}

/** Options of `state.delete()`. */
export interface DeleteOptions extends WriteOptions {
  /** Delete only if the state is at this revision. */
  ifRevision?: Revision | "absent";
}

/** What is stored, with what is known of it. */
export interface Snapshot<T> {
  readonly value: T;
  readonly revision: Revision;
  /** `null`: it does not expire. */
  readonly expiresInMs: number | null;
}

/**
 * A named value, shared by all processes that open the same store. `D` is what a draft can be: `T`, or `T | undefined`
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
  readonly id: string;
  /**
   * The value; `initial()` (or `undefined`) if it is absent. Writes nothing.
   *
   * @throws CorruptStateError when what is stored cannot be read; UnavailableError.
   */
  load(): Promise<D>;
  /** Only what is stored; `undefined` if it is absent. */
  read(): Promise<Snapshot<T> | undefined>;
  /**
   * Stores the value, which is serialized before `save` returns.
   *
   * @returns the new revision.
   * @throws ConflictError when `ifRevision` does not hold; LockTimeoutError when others held the state's lock for
   * `waitMs`; LockLostError when the grant that it is written under has ended; SerializationError;
   * CorruptStateError when what it would replace cannot be read; UnavailableError.
   */
  save(value: T, options?: SaveOptions): Promise<Revision>;
  /** As `save`, with `null` instead of a ConflictError: insert-if-absent, compare-and-set. */
  trySave(value: T, options?: SaveOptions): Promise<Revision | null>;
  /**
   * Applies `fn` to the state, atomically across all processes: change the draft, or return the new value.
   * If `fn` throws, nothing changes. Equal bytes are not saved again, and keep their revision.
   *
   * @returns what is now stored.
   * @throws what `fn` threw; as `save`.
   */
  update(fn: (draft: D, turn: Turn) => T | void | Promise<T | void>, options?: UpdateOptions): Promise<D>;
  /**
   * As `update`, for objects: `fn` changes the draft in place, and its result is yours.
   *
   * @returns what `fn` returned.
   */
  run<R>(
    fn: (draft: D & (object | undefined), turn: Turn) => R,
    options?: UpdateOptions,
  ): Promise<Awaited<R>>;
  /** Sets a new life, in milliseconds from now. @returns false when the state is absent. */
  touch(ttlMs: number, options?: TouchOptions): Promise<boolean>;
  /** Deletes the state; nothing when it is absent. @throws ConflictError when `ifRevision` does not hold. */
  delete(options?: DeleteOptions): Promise<void>;
}

/** Options as they are behind the door. */
type Parsed<T> = Omit<T, "durability"> & { durability?: Durability };

interface ParsedStateOptions<T> {
  initial?: () => T;
  ttlMs?: number | WhenNew;
  serializer?: Serializer;
  durability?: Durability;
}

export class StateHandle<T, D> implements State<T, D> {
  readonly id: string;
  readonly #client: Client;
  readonly #codec: Codec;
  readonly #initial: (() => T) | undefined;
  readonly #ttlMs: number | WhenNew | undefined;
  readonly #durability: Durability | undefined;

  constructor(client: Client, id: string, options: StateOptions<T> | undefined) {
    const own = parse.parseOptions<ParsedStateOptions<T>>("state()", options, {
      initial: parse.initial,
      ttlMs: parse.stateTtlMs,
      serializer: parse.serializer,
      durability: client.settings.readDurability,
    });
    this.#client = client;
    this.id = parse.parseId(id, "A state's id");
    this.#codec = new Codec(id, own.serializer ?? client.settings.serializer, client.settings.maxStateBytes);
    const { initial } = own;
    this.#initial = initial && ((): T => runForCaller(initial));
    this.#ttlMs = own.ttlMs;
    this.#durability = own.durability ?? client.settings.durability;
  }

  load(): Promise<D> {
    return door(() => this.#load());
  }

  read(): Promise<Snapshot<T> | undefined> {
    return door(() => this.#read());
  }

  save(value: T, options?: SaveOptions): Promise<Revision> {
    return door(() => this.#save(value, options));
  }

  trySave(value: T, options?: SaveOptions): Promise<Revision | null> {
    return door(() => this.#trySave(value, options));
  }

  update(fn: (draft: D, turn: Turn) => T | void | Promise<T | void>, options?: UpdateOptions): Promise<D> {
    return door(() => {
      const { call, how } = this.#draftCall("update()", fn, options);
      return this.#write("update()", new UpdateTask(call), how) as Promise<D>;
    });
  }

  run<R>(
    fn: (draft: D & (object | undefined), turn: Turn) => R,
    options?: UpdateOptions,
  ): Promise<Awaited<R>> {
    return door(() => {
      const { call, how } = this.#draftCall("run()", fn, options);
      return this.#write("run()", new RunTask(call), how) as Promise<Awaited<R>>;
    });
  }

  touch(ttlMs: number, options?: TouchOptions): Promise<boolean> {
    return door(() => this.#touch(ttlMs, options));
  }

  delete(options?: DeleteOptions): Promise<void> {
    return door(() => {
      const { ifRevision, ...how } = parse.parseOptions<Parsed<DeleteOptions>>("delete()", options, {
        ...this.#writeParsers,
        ifRevision: parse.ifRevision,
      });
      return this.#write("delete()", new DeleteTask(this.id, this.#codec, ifRevision), how);
    });
  }

  async #load(): Promise<D> {
    const stored = await this.#stored(false);
    if (stored !== null) return this.#codec.decode(stored.bytes) as D;
    return (this.#initial === undefined ? undefined : this.#codec.copy(this.#initial())) as D;
  }

  async #read(): Promise<Snapshot<T> | undefined> {
    const stored = await this.#stored(true);
    if (stored === null) return undefined;
    const { revision, expiresInMs = null, bytes } = stored;
    return { value: this.#codec.decode(bytes) as T, revision, expiresInMs };
  }

  #save(value: T, options: SaveOptions | undefined): Promise<Revision> {
    const bytes = this.#codec.encode(value); // now: what the caller changes later is not saved
    const { ifRevision, ttlMs, ...how } = parse.parseOptions<Parsed<SaveOptions>>("save()", options, {
      ...this.#writeParsers,
      ifRevision: parse.ifRevision,
      ttlMs: parse.saveTtlMs,
    });
    const task = new SaveTask(this.id, this.#codec, { bytes, ifRevision, ttlMs: this.#life(ttlMs) });
    return this.#write("save()", task, how);
  }

  async #trySave(value: T, options: SaveOptions | undefined): Promise<Revision | null> {
    try {
      return await this.#save(value, options);
    } catch (error) {
      if (error instanceof ConflictError && !isFromCaller(error)) return null;
      throw error;
    }
  }

  async #touch(ttlMs: number, options: TouchOptions | undefined): Promise<boolean> {
    const ms = parse.ttlMs(ttlMs, "ttlMs");
    const { conversations, settings } = this.#client;
    const own = parse.parseOptions<Parsed<TouchOptions>>("touch()", options, {
      durability: settings.readDurability,
    });
    this.#client.admit();
    const durability = someOf(own.durability ?? this.#durability);
    const what = { doing: "Touching the state", id: this.id, durability };
    const reply = await tellDurably<TouchReply>(conversations, what, (receipt) =>
      conversations.backend.touchState(this.id, ms, receipt),
    );
    if (reply.status === "unreadable") throw this.#codec.corrupt(reply.unreadable);
    return reply.status === "touched";
  }

  async #stored(expiry: boolean): Promise<StoredState | null> {
    this.#client.admit();
    const { conversations } = this.#client;
    const loaded = await conversations.read(this.#what("Loading"), () =>
      conversations.backend.loadState(this.id, { expiry }),
    );
    return this.#codec.readable(loaded);
  }

  /** In the cohort's line, or under the grant that the caller holds. */
  #write<R>(call: string, task: StateTask & { promise: Promise<R> }, how: Parsed<WriteOptions>): Promise<R> {
    const { cohorts, settings } = this.#client;
    throwIfAborted(how.signal);
    const grant = this.#grant(call, how.grant as HeldGrant | undefined);
    this.#client.admit(grant);
    const patience: Patience = {
      leaseMs: settings.leaseMs,
      waitMs: how.waitMs ?? settings.waitMs,
      signal: how.signal,
      durability: someOf(how.durability ?? this.#durability),
    };
    if (grant === undefined) cohorts.add(this.id, new StateJob(patience, task));
    else void runUnder(cohorts, task, { ...patience, grant });
    return task.promise;
  }

  /** What the write is to be made under: the option, else what the context holds; `undefined`: a turn of its own. */
  #grant(call: string, given: HeldGrant | undefined): HeldGrant | undefined {
    const { owner } = this.#client.cohorts;
    if (insideDraft(owner, this.id)) {
      throw new InvalidArgumentError(
        `${call} of ${JSON.stringify(this.id)} inside a function that is changing the same state: change the draft instead.`,
      );
    }
    const grant = given ?? nearestHeld(owner, this.id)?.grant;
    const lost = grant?.lossError;
    if (lost !== undefined) throw lost; // [S4] whoever inherited a grant that has ended must not write as if it held it
    return grant;
  }

  #draftCall(
    name: string,
    fn: unknown,
    options: UpdateOptions | undefined,
  ): { call: DraftCall; how: Parsed<WriteOptions> } {
    if (typeof fn !== "function") {
      throw new InvalidArgumentError(
        `${name} takes a function that changes the draft; got ${parse.show(fn)}.`,
      );
    }
    const { ttlMs, ...how } = parse.parseOptions<Parsed<UpdateOptions>>(name, options, {
      ...this.#writeParsers,
      ttlMs: parse.saveTtlMs,
    });
    const call: DraftCall = {
      codec: this.#codec,
      initial: this.#initial,
      ttlMs: this.#life(ttlMs),
      fn: fn as DraftCall["fn"],
    };
    return { call, how };
  }

  /** [S7] What is new has no life to keep: then the handle's is meant. */
  #life(own: Life | undefined): Life {
    const usual = this.#ttlMs;
    if (own !== undefined && own !== "keep") return own;
    return own === "keep" && typeof usual === "number" ? { whenNew: usual } : (usual ?? "keep");
  }

  get #writeParsers() {
    return {
      grant: (value: unknown): Grant => parseGrant(value, this.#client.cohorts.owner, this.id),
      waitMs: parse.waitMs,
      signal: parse.signal,
      durability: this.#client.settings.readDurability,
    };
  }

  #what(doing: string): string {
    return `${doing} the state ${JSON.stringify(this.id)}`;
  }
}
