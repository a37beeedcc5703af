/**
 * A change of one state: a function that is applied to a copy, a value to save, or a delete.
 *
 * Each change settles one promise, once. `apply` may be called again if the state changes before the save; its last
 * call counts. All user code runs in it, in the caller's async context, which the change carries. The caller's result
 * is made before the save, so that nothing can fail after it. A value that the caller gets is its own copy.
 */
import { AsyncResource } from "node:async_hooks";
import type {
  Durability,
  Ttl,
  LoadedState,
  StateWrite,
  StoredState,
  WriteReply,
} from "../backends/contract.ts";
import { fromCaller, runForCaller } from "../caller-stacks.ts";
import type { UpdateTrace } from "../diagnostics/traces.ts";
import { ConflictError, InvalidArgumentError, quoted, shownId } from "../errors.ts";
import { now } from "../timers.ts";
import { equalBytes, type Codec } from "./codec.ts";
import { noteNothingChanged } from "./lost-assignment.ts";
import { ContextView, type UpdateContext } from "./update-context.ts";

/** The reply to a plain write that was decided on: carried out, or refused because of what is stored. */
export type PlainReply = Exclude<WriteReply, { status: "busy" | "lost" | "forgotten" }>;

type Condition = number | "absent" | undefined;

/** Settled once, by one of `done`, `answer` and `fail`. */
export abstract class Change<R = unknown> {
  readonly promise: Promise<R>;
  readonly arrivedAt = now();
  /** How many replicas must have it before its promise resolves. */
  readonly durability: Durability | undefined;
  /** How long its function may take. */
  readonly maxHoldMs: number | undefined;
  /** What is traced of its call. */
  trace: UpdateTrace | undefined;
  /** Whether its caller learns the revision. Then nothing may be applied on top of it before it is saved. */
  abstract readonly wantsRevision: boolean;
  #resolve!: (value: unknown) => void;
  #reject!: (error: Error) => void;
  /** Not a snapshot of AsyncLocalStorage, which takes three times as long to make. */
  readonly #context = new AsyncResource("HoldfastChange", { requireManualDestroy: true });

  constructor(durability: Durability | undefined, maxHoldMs?: number) {
    this.durability = durability;
    this.maxHoldMs = maxHoldMs;
    this.promise = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve as (value: unknown) => void;
      this.#reject = reject;
    });
  }

  /** Called whenever it was applied: what is applied right after it, under the same lock. Returned once. */
  follow(): Change | undefined {
    return undefined;
  }

  inCallersContext<T>(body: () => T): T {
    return this.#context.runInAsyncScope(body);
  }

  /**
   * Returns what to write, given what is stored; `undefined`: nothing. If it throws, only this change fails. May be
   * called again.
   */
  abstract apply(
    stored: LoadedState,
    context: UpdateContext,
  ): StateWrite | undefined | Promise<StateWrite | undefined>;

  /** It is now stored at `revision` (`null`: it was deleted, or nothing was written). */
  done(revision: number | null): void {
    this.settle(revision);
    this.#context.emitDestroy();
  }

  fail(error: unknown): void {
    this.#reject(error as Error);
    this.#context.emitDestroy();
  }

  /** Resolves the caller's promise. */
  protected resolve(value: R): void {
    this.#resolve(value);
  }

  protected abstract settle(revision: number | null): void;
}

/** How a draft function is called, and what its caller gets. */
export interface DraftCall {
  readonly codec: Codec;
  readonly initial: (() => unknown) | undefined;
  readonly ttlMs: Ttl;
  readonly durability: Durability | undefined;
  /** How long `fn` may take. */
  readonly maxHoldMs?: number | undefined;
  readonly fn: (draft: unknown, context: UpdateContext) => unknown;
}

/** A function applied to a draft. The changed draft is saved; the subclass decides what the promise resolves with. */
abstract class DraftChange extends Change {
  readonly wantsRevision = false;
  protected readonly call: DraftCall;

  constructor(call: DraftCall) {
    super(call.durability, call.maxHoldMs);
    this.call = call;
  }

  /** Synchronous if the function is: it awaits only a promise that the function returns. */
  apply(
    loaded: LoadedState,
    context: UpdateContext,
  ): StateWrite | undefined | Promise<StateWrite | undefined> {
    const { codec, initial, fn } = this.call;
    const stored = codec.readable(loaded);
    const opened = stored === null ? undefined : codec.open(stored);
    const before = opened?.bytes ?? (initial === undefined ? undefined : codec.encode(initial()));
    const draft = before === undefined ? undefined : codec.decode(before);
    const view = new ContextView(context);
    const written = (returned: unknown): StateWrite | undefined => {
      const after = this.after(draft, before, returned);
      const isUnchanged = after === undefined || (before !== undefined && equalBytes(after, before));
      if (isUnchanged && returned === undefined) noteNothingChanged(this.method, codec.id, fn);
      if (after === undefined || (isUnchanged && opened?.isCurrent === true)) return undefined;
      // An unchanged value that is only stored again keeps its expiry.
      return codec.toSave(after, isUnchanged && opened !== undefined ? "keep" : this.call.ttlMs);
    };
    const returned = runForCaller(() => fn(draft, view));
    return isThenable(returned) ? Promise.resolve(returned).then(written, refuse) : written(returned);
  }

  /** As messages name it. */
  protected abstract readonly method: "update" | "run";

  /** The value to store; `undefined` to store nothing. */
  protected abstract after(
    draft: unknown,
    before: Uint8Array | undefined,
    returned: unknown,
  ): Uint8Array | undefined;
}

/** `update`: the draft was changed, or the new value returned; resolves with what is now stored. */
export class UpdateChange extends DraftChange {
  protected readonly method = "update";
  #result: unknown;

  protected after(draft: unknown, before: Uint8Array | undefined, returned: unknown): Uint8Array | undefined {
    const { codec } = this.call;
    const mutated = returned === undefined || (returned === draft && isObject(draft));
    const after = mutated && draft === undefined ? undefined : codec.encode(mutated ? draft : returned);
    if (!mutated && isObject(draft) && before !== undefined && this.#changed(draft, before)) {
      throw new InvalidArgumentError(
        "The function of update() changed the draft and also returned a different value. " +
          "Either change the draft and return nothing, or leave the draft alone and return the new value.",
      );
    }
    this.#result = after === undefined ? undefined : codec.readBack(after);
    return after;
  }

  protected settle(): void {
    this.resolve(this.#result);
  }

  /** Stored JSON may be formatted differently, so the old value is encoded again before the bytes are compared. */
  #changed(draft: object, before: Uint8Array): boolean {
    const { codec } = this.call;
    const now = codec.encode(draft);
    return !equalBytes(now, before) && !equalBytes(now, codec.encode(codec.decode(before)));
  }
}

/** `run`: the draft was changed; resolves with the function's own result. */
export class RunChange extends DraftChange {
  protected readonly method = "run";
  #result: unknown;

  protected after(draft: unknown, _: Uint8Array | undefined, returned: unknown): Uint8Array | undefined {
    if (draft !== undefined && !isObject(draft)) {
      throw new InvalidArgumentError(
        `run() is for objects, which a function can change in place; this state is ${draft === null ? "null" : `a ${typeof draft}`}. Use update().`,
      );
    }
    this.#result = returned;
    return draft === undefined ? undefined : this.call.codec.encode(draft);
  }

  protected settle(): void {
    this.resolve(this.#result);
  }
}

/** The target of a plain write. */
interface PlainTarget {
  readonly id: string;
  readonly codec: Codec;
  readonly durability: Durability | undefined;
}

/** A write whose content is known in advance. It needs no lock of its own if the lock is free [S8]. */
export abstract class PlainChange<R = unknown> extends Change<R> {
  readonly wantsRevision = true;
  readonly plain: StateWrite;
  protected readonly codec: Codec;
  protected readonly id: string;

  constructor(of: PlainTarget, write: StateWrite) {
    super(of.durability);
    this.id = of.id;
    this.codec = of.codec;
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

  /** It is written alone. */
  describe(): { readonly ids: readonly string[]; readonly changes: readonly Change[] } {
    return { ids: [this.id], changes: [this] };
  }

  /** Settles it with the reply to its write. */
  answer(reply: PlainReply): void {
    if (reply.status === "saved") this.done(reply.revision);
    else if (reply.status === "deleted") this.done(null);
    else if (reply.status === "conflict") this.fail(this.#conflict(reply.revision));
    else this.fail(this.codec.corrupt(reply.unreadable));
  }

  /** The state that would be replaced, if that is allowed [S6]. */
  protected abstract replaced(loaded: LoadedState): StoredState | null;

  #conflict(revision: number | null): ConflictError {
    const wanted =
      this.plain.ifRevision === "absent" ? "it to be absent" : `revision ${this.plain.ifRevision}`;
    const found =
      revision === null ? "it is absent" : revision === 0 ? "it has just changed" : `it is at ${revision}`;
    return new ConflictError(
      `The state ${quoted(this.id)} was not written: you asked for ${wanted}, and ${found}.`,
    );
  }
}

export class SaveChange extends PlainChange<number> {
  constructor(of: PlainTarget, save: { bytes: Uint8Array; ttlMs: Ttl; ifRevision: Condition }) {
    super(of, { ...of.codec.toSave(save.bytes, save.ttlMs), ifRevision: save.ifRevision });
  }

  protected settle(revision: number | null): void {
    if (revision === null) this.fail(new Error(`HOLDFAST_SAVE_WITHOUT_REVISION: ${shownId(this.id)}`));
    else this.resolve(revision);
  }

  protected replaced(loaded: LoadedState): StoredState | null {
    return this.codec.readable(loaded);
  }
}

export class DeleteChange extends PlainChange<undefined> {
  constructor(of: PlainTarget, ifRevision: Condition) {
    super(of, { kind: "delete", ifRevision });
  }

  protected settle(): void {
    this.resolve(undefined);
  }

  /** A state of any serializer may be deleted. Data that is not a state may not. */
  protected replaced(loaded: LoadedState): StoredState | null {
    if (loaded !== null && "unreadable" in loaded) throw this.codec.corrupt(loaded.unreadable);
    return loaded;
  }
}

/** Throws the error that the promise of a caller's function rejected with. */
function refuse(error: unknown): never {
  throw fromCaller(error);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && "then" in value && typeof value.then === "function";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
