/**
 * The handle of a state. Reads go straight to the backend; writes wait in the local queue of its id, or are made under
 * a grant that the caller holds [S8]. It parses options; it knows no queues and no leases.
 */
import type { Durability, StoredState, TouchReply } from "../backends/contract.ts";
import type { Session } from "../session.ts";
import { Codec } from "../updates/codec.ts";
import { withCallersStack, isFromCaller, runForCaller } from "../caller-stacks.ts";
import { traces } from "../diagnostics/traces.ts";
import { ConflictError, InvalidArgumentError, quoted } from "../errors.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { Grant } from "../ownership/public-grant.ts";
import { insideDraft, nearestHeld } from "../ownership/held-grants.ts";
import { outlivedError } from "../ownership/outlived.ts";
import { parseGrant } from "../ownership/parse-grant.ts";
import { ChangeRequest } from "../scheduling/request.ts";
import { throwIfAborted } from "../ownership/abort-listeners.ts";
import { changeUnder } from "../updates/change-under-grant.ts";
import * as parse from "../options.ts";
import { someOf, type Parsed, type WhenNew } from "../options.ts";
import type { Serializer } from "../serializers/serializer.ts";
import {
  DeleteChange,
  RunChange,
  SaveChange,
  UpdateChange,
  type Change,
  type DraftCall,
} from "../updates/change.ts";
import { expiryOf } from "../updates/merged-ttl.ts";
import type { Participant } from "../updates/transaction.ts";
import type { UpdateContext } from "../updates/update-context.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import type {
  DeleteOptions,
  Revision,
  SaveOptions,
  Snapshot,
  State,
  StateOptions,
  TouchOptions,
  UpdateOptions,
  WriteOptions,
} from "./state.ts";
import { traceChange, type WriteCall } from "./trace-handles.ts";
import * as names from "../names.ts";

interface ParsedStateOptions<T> {
  initial?: () => T;
  ttlMs?: number | WhenNew;
  serializer?: Serializer;
  maxHoldMs?: number;
  durability?: Durability;
}

export class StateHandle<T, D> implements State<T, D> {
  readonly id: string;
  readonly #session: Session;
  readonly #codec: Codec;
  readonly #initial: (() => T) | undefined;
  readonly #ttlMs: number | WhenNew | undefined;
  readonly #maxHoldMs: number | undefined;
  readonly #durability: Durability | undefined;

  constructor(session: Session, id: string, options: StateOptions<T> | undefined) {
    const own = parse.parseOptions<ParsedStateOptions<T>>("state()", options, {
      initial: parse.initial,
      ttlMs: parse.stateTtlMs,
      serializer: parse.serializer,
      maxHoldMs: parse.maxHoldMs,
      durability: session.settings.readDurability,
    });
    this.#session = session;
    this.id = names.parseId(id, "A state's id");
    this.#codec = new Codec(
      id,
      own.serializer ?? session.settings.serializer,
      session.settings.maxStateBytes,
    );
    const { initial } = own;
    this.#initial = initial && ((): T => runForCaller(initial));
    this.#ttlMs = own.ttlMs;
    this.#maxHoldMs = own.maxHoldMs;
    this.#durability = own.durability ?? session.settings.durability;
  }

  /** Whether it is a state of this opened store. */
  isOf(session: Session): boolean {
    return this.#session === session;
  }

  /** How many replicas its writes wait for, unless a call says otherwise. */
  get durability(): Durability | undefined {
    return this.#durability;
  }

  /** Its part in a change of several states. */
  get participant(): Participant {
    const ttlMs = expiryOf(undefined, this.#ttlMs);
    return { id: this.id, codec: this.#codec, initial: this.#initial, ttlMs };
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
    return withCallersStack(() => this.#trySave(value, options));
  }

  update(
    fn: (draft: D, context: UpdateContext) => T | void | Promise<T | void>,
    options?: UpdateOptions,
  ): Promise<D> {
    return withCallersStack(() => {
      const { call, how } = this.#draftCall("update()", fn, options);
      return this.#write("update()", how, () => new UpdateChange(call)) as Promise<D>;
    });
  }

  run<R>(
    fn: (draft: D & (object | undefined), context: UpdateContext) => R,
    options?: UpdateOptions,
  ): Promise<Awaited<R>> {
    return withCallersStack(() => {
      const { call, how } = this.#draftCall("run()", fn, options);
      return this.#write("run()", how, () => new RunChange(call)) as Promise<Awaited<R>>;
    });
  }

  touch(ttlMs: number, options?: TouchOptions): Promise<boolean> {
    return withCallersStack(() => this.#touch(ttlMs, options));
  }

  delete(options?: DeleteOptions): Promise<void> {
    return withCallersStack(() => {
      const { ifRevision, ...how } = parse.parseOptions<Parsed<DeleteOptions>>("delete()", options, {
        ...this.#writeParsers,
        ifRevision: parse.ifRevision,
      });
      return this.#write("delete()", how, () => new DeleteChange(this.#target(how), ifRevision));
    });
  }

  async #load(): Promise<D> {
    const stored = await this.#stored(false);
    if (stored !== null) return this.#codec.valueOf(stored) as D;
    return (this.#initial === undefined ? undefined : this.#codec.copy(this.#initial())) as D;
  }

  async #read(): Promise<Snapshot<T> | undefined> {
    const stored = await this.#stored(true);
    if (stored === null) return undefined;
    const { revision, expiresInMs = null } = stored;
    return { value: this.#codec.valueOf(stored) as T, revision, expiresInMs };
  }

  #save(value: T, options: SaveOptions | undefined): Promise<Revision> {
    const bytes = this.#codec.encode(value); // now: later changes by the caller are not saved
    const { ifRevision, ttlMs, ...how } = parse.parseOptions<Parsed<SaveOptions>>("save()", options, {
      ...this.#writeParsers,
      ifRevision: parse.ifRevision,
      ttlMs: parse.saveTtlMs,
    });
    const save = { bytes, ifRevision, ttlMs: expiryOf(ttlMs, this.#ttlMs) };
    return this.#write("save()", how, () => new SaveChange(this.#target(how), save));
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
    const { calls, settings } = this.#session;
    const own = parse.parseOptions<Parsed<TouchOptions>>("touch()", options, {
      durability: settings.readDurability,
    });
    this.#session.admit();
    const durability = this.#durabilityOf(own);
    const what = { doing: "Touching the state", id: this.id, durability };
    const { reply, shortage } = await calls.exactlyOnce<TouchReply>(what, (receipt) =>
      calls.backend.touchState(this.id, ms, receipt),
    );
    if (shortage !== undefined) throw shortage;
    if (reply.status === "unreadable") throw this.#codec.corrupt(reply.unreadable);
    return reply.status === "touched";
  }

  async #stored(expiry: boolean): Promise<StoredState | null> {
    this.#session.admit();
    const { calls } = this.#session;
    const loaded = await calls.read({ doing: "Loading the state", id: this.id }, () =>
      calls.backend.loadState(this.id, { expiry }),
    );
    return this.#codec.readable(loaded);
  }

  /** Queues the change for its id, or makes it under the grant that the caller holds. */
  #write<R>(call: WriteCall, how: Parsed<WriteOptions>, makeChange: () => Change<R>): Promise<R> {
    if (!traces.update.hasSubscribers) return this.#change(call, how, makeChange);
    const of = { call, ids: [this.id], signal: how.signal };
    return traceChange(of, makeChange, (make) => this.#change(call, how, make));
  }

  #change<R>(call: string, how: Parsed<WriteOptions>, makeChange: () => Change<R>): Promise<R> {
    const { calls, locks, settings } = this.#session;
    throwIfAborted(how.signal);
    const grant = this.#grant(call, how.grant as HeldGrant | undefined);
    this.#session.admit(grant);
    const change = makeChange();
    const wait: WaitOptions = {
      leaseMs: settings.leaseMs,
      waitMs: how.waitMs ?? settings.waitMs,
      signal: how.signal,
      durability: change.durability,
    };
    if (grant === undefined) locks.add(this.id, new ChangeRequest(wait, change));
    else void changeUnder(calls, change, { ...wait, grant });
    return change.promise;
  }

  /** The target of a plain write. */
  #target(how: Parsed<WriteOptions>): ConstructorParameters<typeof SaveChange>[0] {
    return { id: this.id, codec: this.#codec, durability: this.#durabilityOf(how) };
  }

  #durabilityOf(how: { readonly durability?: Durability }): Durability | undefined {
    return someOf(how.durability ?? this.#durability);
  }

  /** The grant to write under: the option, otherwise the context's; `undefined`: the write needs a lock of its own. */
  #grant(call: string, given: HeldGrant | undefined): HeldGrant | undefined {
    const { store } = this.#session;
    if (insideDraft(store, this.id)) {
      throw new InvalidArgumentError(
        `${call} of ${quoted(this.id)} inside a function that is changing the same state: change the draft instead.`,
      );
    }
    const grant = given ?? nearestHeld(store, this.id)?.grant;
    const lost = grant?.lossError;
    if (grant !== undefined && lost !== undefined)
      throw given === undefined ? outlivedError(grant, lost) : lost; // [S4] a caller whose inherited grant has ended must not write as if it held it
    if (grant?.hold.share !== undefined) {
      throw new InvalidArgumentError(
        `${call} of ${JSON.stringify(this.id)} under a shared lock, which others may hold as well: shared holders can only ` +
          `read. Acquire the lock without { shared: true } to write.`,
      );
    }
    return grant;
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
    const { ttlMs, maxHoldMs, ...how } = parse.parseOptions<Parsed<UpdateOptions>>(name, options, {
      ...this.#writeParsers,
      ttlMs: parse.saveTtlMs,
      maxHoldMs: parse.maxHoldMs,
    });
    const call: DraftCall = {
      codec: this.#codec,
      initial: this.#initial,
      ttlMs: expiryOf(ttlMs, this.#ttlMs),
      durability: this.#durabilityOf(how),
      maxHoldMs: maxHoldMs ?? this.#maxHoldMs,
      fn: fn as DraftCall["fn"],
    };
    return { call, how };
  }

  get #writeParsers() {
    return {
      grant: (value: unknown): Grant => parseGrant(value, this.#session.store, this.id),
      waitMs: parse.waitMs,
      signal: parse.signal,
      durability: this.#session.settings.readDurability,
    };
  }
}
