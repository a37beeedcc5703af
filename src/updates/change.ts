/**
 * What a state brings to the cohort of its id: a function to be applied to a copy, a value to be saved, a delete.
 *
 * Each task settles one promise, once. `apply` may be called again when the state changed under it; what counts is
 * its last call. All code of the user's runs in there, in the caller's context: what the caller is told in the end is
 * made before the save, so that nothing can fail after it. Every value that leaves here is the caller's own copy.
 */
import type { Life, LoadedState, StateWrite, StoredState, WriteReply } from "../backends/contract.ts";
import { equalBytes, type Codec } from "./codec.ts";
import { fromCaller, runForCaller } from "../caller-errors.ts";
import { ConflictError, InvalidArgumentError } from "../errors.ts";
import type { StateTask } from "../scheduling/request.ts";

/** What a draft function sees of the lock that it runs under. */
export interface Turn {
  /** The fence of this turn; give it to other systems so that they can refuse a stale holder. */
  readonly fence: number;
  /** Aborts when the lock is lost: what the function still does will not be saved. */
  readonly signal: AbortSignal;
}

/**
 * A view, so that nobody finds more on it than it promises. Not an object literal with a getter: each one of those gets a
 * hidden class of its own, in the old generation, which keeps all that the call has made until a major collection.
 */
class TurnView implements Turn {
  readonly fence: number;
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.fence = turn.fence;
    this.#turn = turn;
  }

  get signal(): AbortSignal {
    return this.#turn.signal;
  }
}

type Condition = number | "absent" | undefined;

/** The promise that a task settles. */
abstract class Task<R> {
  readonly promise: Promise<R>;
  protected resolve!: (value: R) => void;
  #reject!: (error: Error) => void;

  constructor() {
    this.promise = new Promise<R>((resolve, reject) => {
      this.resolve = resolve;
      this.#reject = reject;
    });
  }

  fail(error: unknown): void {
    this.#reject(error as Error);
  }
}

/** How a draft function is called and what its caller gets. */
export interface DraftCall {
  readonly codec: Codec;
  readonly initial: (() => unknown) | undefined;
  readonly ttlMs: Life;
  readonly fn: (draft: unknown, turn: Turn) => unknown;
}

/** A function applied to a draft; the changed draft is saved. What it resolves with is up to the subclass. */
abstract class DraftTask extends Task<unknown> implements StateTask {
  readonly wantsRevision = false;
  protected readonly call: DraftCall;

  constructor(call: DraftCall) {
    super();
    this.call = call;
  }

  /** At once where the function is: nothing is waited for but a promise of the user's. */
  apply(loaded: LoadedState, turn: Turn): StateWrite | undefined | Promise<StateWrite | undefined> {
    const { codec, initial, fn } = this.call;
    const stored = codec.readable(loaded);
    const before = stored?.bytes ?? (initial === undefined ? undefined : codec.encode(initial()));
    const draft = before === undefined ? undefined : codec.decode(before);
    const view = new TurnView(turn);
    const written = (returned: unknown): StateWrite | undefined => {
      const after = this.after(draft, before, returned);
      if (after === undefined || (stored !== null && equalBytes(after, stored.bytes))) return undefined;
      return { kind: "save", bytes: after, serializer: codec.serializer.name, ttlMs: this.call.ttlMs };
    };
    const returned = runForCaller(() => fn(draft, view));
    return isThenable(returned) ? Promise.resolve(returned).then(written, refuse) : written(returned);
  }

  /** What is to be stored: `undefined` where there is nothing to store. */
  protected abstract after(
    draft: unknown,
    before: Uint8Array | undefined,
    returned: unknown,
  ): Uint8Array | undefined;
  abstract done(): void;
}

/** `update`: the draft was changed, or the new value returned; resolves with what is now stored. */
export class UpdateTask extends DraftTask {
  #result: unknown;

  protected after(draft: unknown, before: Uint8Array | undefined, returned: unknown): Uint8Array | undefined {
    const { codec } = this.call;
    const mutated = returned === undefined || (returned === draft && isObject(draft));
    const after = mutated && draft === undefined ? undefined : codec.encode(mutated ? draft : returned);
    if (!mutated && isObject(draft) && before !== undefined && this.#changed(draft, before)) {
      throw new InvalidArgumentError(
        "The function of update() changed its draft and returned another value: which one shall be saved? " +
          "Change the draft and return nothing, or leave it and return the new value.",
      );
    }
    this.#result = after === undefined ? undefined : codec.readBack(after);
    return after;
  }

  done(): void {
    this.resolve(this.#result);
  }

  /** Stored bytes may be formatted otherwise than ours, so equal values are compared as we would write them. */
  #changed(draft: object, before: Uint8Array): boolean {
    const { codec } = this.call;
    const now = codec.encode(draft);
    return !equalBytes(now, before) && !equalBytes(now, codec.encode(codec.decode(before)));
  }
}

/** `run`: the draft was changed; resolves with the function's own result. */
export class RunTask extends DraftTask {
  #result: unknown;

  protected after(
    draft: unknown,
    _before: Uint8Array | undefined,
    returned: unknown,
  ): Uint8Array | undefined {
    if (draft !== undefined && !isObject(draft)) {
      throw new InvalidArgumentError(
        `run() is for objects, which a function can change in place; this state is ${draft === null ? "null" : `a ${typeof draft}`}. Use update().`,
      );
    }
    this.#result = returned;
    return draft === undefined ? undefined : this.call.codec.encode(draft);
  }

  done(): void {
    this.resolve(this.#result);
  }
}

/** A write that is known beforehand; it needs no turn where the lock is free. */
abstract class PlainTask<R> extends Task<R> implements StateTask {
  readonly wantsRevision = true;
  readonly plain: StateWrite;
  protected readonly codec: Codec;
  protected readonly id: string;

  constructor(id: string, codec: Codec, write: StateWrite) {
    super();
    this.id = id;
    this.codec = codec;
    this.plain = write;
  }

  apply(loaded: LoadedState): StateWrite | undefined {
    const stored = this.replaced(loaded);
    const { ifRevision } = this.plain;
    if (ifRevision !== undefined && ifRevision !== (stored?.revision ?? "absent")) {
      throw this.#conflict(stored?.revision ?? null);
    }
    return stored === null && this.plain.kind === "delete" ? undefined : this.plain;
  }

  answer(reply: Exclude<WriteReply, { status: "held" | "forgotten" }>): void {
    if (reply.status === "saved") this.done(reply.revision);
    else if (reply.status === "deleted") this.done(null);
    else if (reply.status === "conflict") this.fail(this.#conflict(reply.revision));
    else if (reply.status === "unreadable") this.fail(this.codec.corrupt(reply.unreadable));
    else this.fail(new Error(`HOLDFAST_PLAIN_WRITE_LOST: ${this.id}`)); // without a ticket nothing can be lost
  }

  abstract done(revision: number | null): void;
  /** What is to be replaced, if it may be [S6]. */
  protected abstract replaced(loaded: LoadedState): StoredState | null;

  #conflict(revision: number | null): ConflictError {
    const wanted =
      this.plain.ifRevision === "absent" ? "it to be absent" : `revision ${this.plain.ifRevision}`;
    const found =
      revision === null ? "it is absent" : revision === 0 ? "it has just changed" : `it is at ${revision}`;
    return new ConflictError(
      `The state ${JSON.stringify(this.id)} was not written: you asked for ${wanted}, and ${found}.`,
    );
  }
}

export class SaveTask extends PlainTask<number> {
  constructor(id: string, codec: Codec, save: { bytes: Uint8Array; ttlMs: Life; ifRevision: Condition }) {
    super(id, codec, { kind: "save", serializer: codec.serializer.name, ...save });
  }

  done(revision: number | null): void {
    if (revision === null) this.fail(new Error(`HOLDFAST_SAVE_WITHOUT_REVISION: ${this.id}`));
    else this.resolve(revision);
  }

  protected replaced(loaded: LoadedState): StoredState | null {
    return this.codec.readable(loaded);
  }
}

export class DeleteTask extends PlainTask<undefined> {
  constructor(id: string, codec: Codec, ifRevision: Condition) {
    super(id, codec, { kind: "delete", ifRevision });
  }

  done(): void {
    this.resolve(undefined);
  }

  /** Whatever serializer wrote it may be deleted; what is no state at all may not. */
  protected replaced(loaded: LoadedState): StoredState | null {
    if (loaded !== null && "unreadable" in loaded) throw this.codec.corrupt(loaded.unreadable);
    return loaded;
  }
}

/** What the promise of a caller's function was rejected with. */
function refuse(error: unknown): never {
  throw fromCaller(error);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && "then" in value && typeof value.then === "function";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
