/**
 * A change of one state; here: a value to save, or a delete. Functions that are applied to a copy are in changes/.
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
import type { UpdateTrace } from "../diagnostics/traces.ts";
import { ConflictError, quoted, shownId } from "../errors.ts";
import { now } from "../timers.ts";
import type { Codec } from "./codec.ts";
import type { HoldContext } from "./update-context.ts";

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
    context: HoldContext,
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
    if (ifRevision !== undefined && ifRevision !== (stored?.revision ?? "absent"))
      throw this.#conflict(stored?.revision ?? null);
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

  #conflict(found: number | null): ConflictError {
    const { kind, ifRevision: wanted } = this.plain;
    return conflictError(this.id, { wanted, found, doing: kind === "delete" ? "deleted" : "written" });
  }

  /** The state that would be replaced, if that is allowed [S6]. */
  protected abstract replaced(loaded: LoadedState): StoredState | null;
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

/** Resolves with whether there was a state. */
export class DeleteChange extends PlainChange<boolean> {
  #existed = false;

  constructor(of: PlainTarget, ifRevision: Condition) {
    super(of, { kind: "delete", ifRevision });
  }

  override apply(loaded: LoadedState): StateWrite | undefined {
    const write = super.apply(loaded);
    this.#existed = write !== undefined;
    return write;
  }

  override answer(reply: PlainReply): void {
    this.#existed = reply.status === "deleted" && reply.existed;
    super.answer(reply);
  }

  protected settle(): void {
    this.resolve(this.#existed);
  }

  /** A state of any serializer may be deleted. Data that is not a state may not. */
  protected replaced(loaded: LoadedState): StoredState | null {
    if (loaded !== null && "unreadable" in loaded) throw this.codec.corrupt(loaded.unreadable);
    return loaded;
  }
}

/** What a write was conditional on, and what it found. */
export interface Mismatched {
  readonly wanted: Condition;
  /** Where the state is; `null`: it is absent; 0: at a change that is not saved yet. */
  readonly found: number | null;
  readonly doing?: "written" | "deleted" | "taken" | "touched";
}

export function conflictError(id: string, { wanted, found, doing = "written" }: Mismatched): ConflictError {
  const asked = wanted === "absent" ? "it to be absent" : `revision ${wanted}`;
  const there = found === null ? "it is absent" : found === 0 ? "it has just changed" : `it is at ${found}`;
  return new ConflictError(`The state ${quoted(id)} was not ${doing}: you asked for ${asked}, and ${there}.`);
}
