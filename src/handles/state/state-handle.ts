/**
 * The handle of a state. Reads go straight to the backend; writes are made by state-writes.ts. It parses options; it knows
 * no queues and no leases.
 */
import type { Durability, StoredState, TouchReply, Ttl } from "../../backends/contract.ts";
import { withCallersStack, isFromCaller } from "../../caller-stacks.ts";
import { ConflictError, InvalidArgumentError } from "../../errors.ts";
import { lifeOf, lifeParsers, touchedLife, type ExpiresAt } from "../../life-options.ts";
import * as parse from "../../options.ts";
import { someOf, type Parsed } from "../../options.ts";
import type { Session } from "../../session.ts";
import { conflictError, DeleteChange, SaveChange } from "../../updates/change.ts";
import { RunChange, UpdateChange, type DraftCall } from "../../updates/changes/draft-change.ts";
import { TakeChange } from "../../updates/changes/take-change.ts";
import type { Codec } from "../../updates/codec.ts";
import { expiryOf } from "../../updates/merged-ttl.ts";
import type { Participant } from "../../updates/transaction.ts";
import type { UpdateContext } from "../../updates/update-context.ts";
import type { Scope } from "../scope.ts";
import type { WriteCall } from "../trace-handles.ts";
import { parseOwnOptions, type OwnOptions } from "./own-options.ts";
import { watchState } from "./state-watch.ts";
import { StateWrites } from "./state-writes.ts";
import type {
  DeleteOptions,
  Revision,
  SaveOptions,
  Snapshot,
  State,
  StateOptions,
  TakeOptions,
  TouchOptions,
  UpdateOptions,
  WatchStateOptions,
  WriteOptions,
} from "./state.ts";

/** Options with a life, once parsed. */
type ParsedLife<O> = Omit<Parsed<O>, "ttlMs" | "expiresAt"> & { ttlMs?: Ttl; expiresAt?: number };

export class StateHandle<T, D> implements State<T, D> {
  readonly id: string;
  /** Its id in the store: of a state of a view, with the prefix. */
  readonly key: string;
  readonly #session: Session;
  readonly #own: OwnOptions;
  readonly #codec: Codec;
  readonly #writes: StateWrites;

  constructor(scope: Scope, id: string, options: StateOptions<T> | undefined) {
    const { session } = scope;
    const own = parseOwnOptions(scope, id, options);
    this.#session = session;
    this.id = id;
    this.key = own.key;
    this.#own = own;
    this.#codec = own.codec;
    this.#writes = new StateWrites(session, own.key);
  }

  /** Whether it is a state of this opened store. */
  isOf(session: Session): boolean {
    return this.#session === session;
  }

  /** How many replicas its writes wait for, unless a call says otherwise. */
  get durability(): Durability | undefined {
    return this.#own.durability;
  }

  /** Its part in a change of several states. */
  get participant(): Participant {
    const { initial, ttlMs } = this.#own;
    return { id: this.key, codec: this.#codec, initial, ttlMs };
  }

  load(): Promise<D> {
    return withCallersStack(() => this.#load());
  }

  read(): Promise<Snapshot<T> | undefined> {
    return withCallersStack(() => this.#read());
  }

  save(value: T, options?: SaveOptions): Promise<Revision> {
    return withCallersStack(() => this.#save(value, options));
  }

  trySave(value: T, options?: SaveOptions): Promise<Revision | null> {
    return withCallersStack(() => nullIfConflict(() => this.#save(value, options)));
  }

  update(
    fn: (draft: D, context: UpdateContext) => T | void | Promise<T | void>,
    options?: UpdateOptions,
  ): Promise<D> {
    return withCallersStack(() => {
      const { call, how } = this.#draftCall("update()", fn, options);
      return this.#writes.make("update()", how, () => new UpdateChange(call)) as Promise<D>;
    });
  }

  run<R>(
    fn: (draft: D & (object | undefined), context: UpdateContext) => R,
    options?: UpdateOptions,
  ): Promise<Awaited<R>> {
    return withCallersStack(() => {
      const { call, how } = this.#draftCall("run()", fn, options);
      return this.#writes.make("run()", how, () => new RunChange(call)) as Promise<Awaited<R>>;
    });
  }

  touch(ttl: number | "none" | ExpiresAt, options?: TouchOptions): Promise<boolean> {
    return withCallersStack(() => this.#touch(ttl, options));
  }

  exists(): Promise<boolean> {
    return withCallersStack(() => this.#exists());
  }

  delete(options?: DeleteOptions): Promise<boolean> {
    return withCallersStack(() => this.#delete(options));
  }

  tryDelete(options?: DeleteOptions): Promise<boolean | null> {
    return withCallersStack(() => nullIfConflict(() => this.#delete(options)));
  }

  take(options?: TakeOptions): Promise<T | undefined> {
    return withCallersStack(() => this.#take(options));
  }

  watch(options?: WatchStateOptions): AsyncIterable<Snapshot<T> | undefined> {
    const load = (): Promise<StoredState | null> => this.#stored(true);
    const snapshotOf = (stored: StoredState): Snapshot<T> => this.#snapshotOf(stored);
    return watchState({ session: this.#session, id: this.key, load, snapshotOf }, options);
  }

  async #load(): Promise<D> {
    const stored = await this.#stored(false);
    if (stored !== null) return this.#codec.valueOf(stored) as D;
    return (this.#own.initial === undefined ? undefined : this.#codec.copy(this.#own.initial())) as D;
  }

  async #read(): Promise<Snapshot<T> | undefined> {
    const stored = await this.#stored(true);
    return stored === null ? undefined : this.#snapshotOf(stored);
  }

  #snapshotOf(stored: StoredState): Snapshot<T> {
    const { revision, expiresInMs = null } = stored;
    return { value: this.#codec.valueOf(stored) as T, revision, expiresInMs };
  }

  #save(value: T, options: SaveOptions | undefined): Promise<Revision> {
    const bytes = this.#codec.encode(value); // now: later changes by the caller are not saved
    const { ifRevision, ttlMs, expiresAt, ...how } = parse.parseOptions<ParsedLife<SaveOptions>>(
      "save()",
      options,
      { ...this.#writes.parsers, ifRevision: parse.ifRevision, ...lifeParsers },
    );
    const life = lifeOf("save()", { ttlMs, expiresAt });
    const save = { bytes, ifRevision, ttlMs: expiryOf(life, this.#own.ttlMs) };
    return this.#writes.make("save()", how, () => new SaveChange(this.#target(how), save));
  }

  #delete(options: DeleteOptions | undefined): Promise<boolean> {
    const { ifRevision, ...how } = parse.parseOptions<Parsed<DeleteOptions>>("delete()", options, {
      ...this.#writes.parsers,
      ifRevision: parse.ifRevision,
    });
    return this.#writes.make("delete()", how, () => new DeleteChange(this.#target(how), ifRevision));
  }

  #take(options: TakeOptions | undefined): Promise<T | undefined> {
    const { ifRevision, ...how } = parse.parseOptions<Parsed<TakeOptions>>("take()", options, {
      ...this.#writes.parsers,
      ifRevision: parse.revision,
    });
    const call = { codec: this.#codec, durability: this.#durabilityOf(how), ifRevision };
    return this.#writes.make("take()", how, () => new TakeChange(call)) as Promise<T | undefined>;
  }

  async #exists(): Promise<boolean> {
    const { calls } = this.#session;
    const ahead = this.#writesAhead();
    if (ahead !== undefined) await ahead;
    const found = await calls.read({ doing: "Looking for the state", id: this.key }, () =>
      calls.backend.describeState(this.key),
    );
    if (found !== null && "unreadable" in found) throw this.#codec.corrupt(found.unreadable);
    return found !== null;
  }

  async #touch(ttl: number | "none" | ExpiresAt, options: TouchOptions | undefined): Promise<boolean> {
    const ttlMs = touchedLife(ttl, "ttl");
    const { calls, settings } = this.#session;
    const { ifRevision, ...own } = parse.parseOptions<Parsed<TouchOptions>>("touch()", options, {
      ifRevision: parse.revision,
      durability: settings.readDurability,
    });
    const ahead = this.#writesAhead(); // it takes no turn in the queue, and must not miss what was saved just now
    if (ahead !== undefined) await ahead;
    const durability = this.#durabilityOf(own);
    const what = { doing: "Touching the state", id: this.key, durability };
    const { reply, shortage } = await calls.exactlyOnce<TouchReply>(what, (receipt) =>
      calls.backend.touchState(this.key, { ttlMs, ifRevision }, receipt),
    );
    if (shortage !== undefined) throw shortage;
    if (reply.status === "unreadable") throw this.#codec.corrupt(reply.unreadable);
    if (reply.status === "conflict")
      throw conflictError(this.key, { wanted: ifRevision, found: reply.revision, doing: "touched" });
    return reply.status === "touched";
  }

  async #stored(expiry: boolean): Promise<StoredState | null> {
    const { calls } = this.#session;
    const ahead = this.#writesAhead();
    if (ahead !== undefined) await ahead;
    const loaded = await calls.read({ doing: "Loading the state", id: this.key }, () =>
      calls.backend.loadState(this.key, { expiry }),
    );
    return this.#codec.readable(loaded);
  }

  /** What a read waits for, if it is admitted. */
  #writesAhead(): Promise<void> | undefined {
    this.#session.admit();
    return this.#session.locks.writesAhead(this.key);
  }

  /** The target of a plain write. */
  #target(how: Parsed<WriteOptions>): ConstructorParameters<typeof SaveChange>[0] {
    return { id: this.key, codec: this.#codec, durability: this.#durabilityOf(how) };
  }

  #durabilityOf(how: { readonly durability?: Durability }): Durability | undefined {
    return someOf(how.durability ?? this.#own.durability);
  }

  #draftCall(
    name: WriteCall,
    fn: unknown,
    options: UpdateOptions | undefined,
  ): { call: DraftCall; how: Parsed<WriteOptions> } {
    if (typeof fn !== "function") {
      throw new InvalidArgumentError(
        `${name} takes a function that changes the draft; got ${parse.show(fn)}.`,
      );
    }
    const { ttlMs, expiresAt, maxHoldMs, ...how } = parse.parseOptions<ParsedLife<UpdateOptions>>(
      name,
      options,
      { ...this.#writes.parsers, ...lifeParsers, maxHoldMs: parse.maxHoldMs },
    );
    const call: DraftCall = {
      codec: this.#codec,
      initial: this.#own.initial,
      life: lifeOf(name, { ttlMs, expiresAt }),
      usualTtl: this.#own.ttlMs,
      durability: this.#durabilityOf(how),
      maxHoldMs: maxHoldMs ?? this.#own.maxHoldMs,
      fn: fn as DraftCall["fn"],
    };
    return { call, how };
  }
}

/** For expected conflicts: `null` instead of the error, unless it is an error of the caller's own function. */
async function nullIfConflict<R>(write: () => Promise<R>): Promise<R | null> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof ConflictError && !isFromCaller(error)) return null;
    throw error;
  }
}
