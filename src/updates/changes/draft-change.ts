/**
 * Functions that are applied to a draft of a state: `update` and `run`. What they have made of it is stored, unless nothing
 * has changed; they may delete the state, or choose how long it lives (draft-context.ts).
 *
 * | after the function, the draft is | absent before | stored before |
 * |---|---|---|
 * | unchanged, and nothing was returned | nothing is stored | nothing is stored |
 * | unchanged, and it was returned, or an equal value | stored by `update` | nothing is stored |
 * | changed, or another value was returned | stored | stored |
 *
 * Where nothing is stored, a time to live that the call or the function chose is still set if there is a state [S7].
 */
import type { Durability, LoadedState, StateWrite, Ttl } from "../../backends/contract.ts";
import { fromCaller, runForCaller } from "../../caller-stacks.ts";
import { InvalidArgumentError } from "../../errors.ts";
import { isNewTtl } from "../../life-options.ts";
import type { WhenNew } from "../../options.ts";
import { Change } from "../change.ts";
import { equalBytes, type Codec, type Opened } from "../codec.ts";
import { noteNothingChanged } from "../lost-assignment.ts";
import { expiryOf } from "../merged-ttl.ts";
import type { HoldContext, UpdateContext } from "../update-context.ts";
import { DraftContext } from "./draft-context.ts";

/** How a draft function is called, and what its caller gets. */
export interface DraftCall {
  readonly codec: Codec;
  readonly initial: (() => unknown) | undefined;
  /** The time to live that the call asks for; `undefined`: the handle's. */
  readonly life?: Ttl | undefined;
  /** That of the handle. */
  readonly usualTtl?: number | WhenNew | undefined;
  readonly durability: Durability | undefined;
  /** How long `fn` may take. */
  readonly maxHoldMs?: number | undefined;
  readonly fn: (draft: unknown, context: UpdateContext) => unknown;
}

/** What a draft was before its function was called, and after it. */
interface Drafted {
  readonly draft: unknown;
  readonly before: Uint8Array | undefined;
  /** What was stored; `undefined`: nothing. */
  readonly opened: Opened | undefined;
  readonly view: DraftContext;
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
  apply(loaded: LoadedState, context: HoldContext): StateWrite | undefined | Promise<StateWrite | undefined> {
    const { codec, initial, fn } = this.call;
    const stored = codec.readable(loaded);
    const opened = stored === null ? undefined : codec.open(stored);
    const before = opened?.bytes ?? (initial === undefined ? undefined : codec.encode(initial()));
    const draft = before === undefined ? undefined : codec.decode(before);
    const view = new DraftContext(context);
    const written = (returned: unknown): StateWrite | undefined =>
      this.#written({ draft, before, opened, view }, returned);
    const returned = runForCaller(() => fn(draft, view));
    return isThenable(returned) ? Promise.resolve(returned).then(written, refuse) : written(returned);
  }

  #written({ draft, before, opened, view }: Drafted, returned: unknown): StateWrite | undefined {
    const { codec, fn, life: asked, usualTtl } = this.call;
    const { isDeleted, life = asked } = view.end();
    if (isDeleted) {
      this.deleted(draft, returned);
      return opened === undefined ? undefined : { kind: "delete" };
    }
    const after = this.after(draft, before, returned);
    const isUnchanged = after === undefined || (before !== undefined && equalBytes(after, before));
    if (isUnchanged && returned === undefined) noteNothingChanged(this.method, codec.id, fn);
    if (after === undefined || (isUnchanged && opened === undefined && !this.storesUnchanged(returned)))
      return undefined;
    if (!isUnchanged || opened === undefined) return codec.toSave(after, expiryOf(life, usualTtl));
    // [S7] A value that is unchanged keeps its expiry, also if it is stored again, unless another was chosen.
    if (!opened.isCurrent) return codec.toSave(after, isNewTtl(life) ? life : "keep");
    return isNewTtl(life) ? { kind: "touch", ttlMs: life } : undefined;
  }

  /** As messages name it. */
  protected abstract readonly method: "update" | "run";

  /** The value to store; `undefined` to store nothing. */
  protected abstract after(
    draft: unknown,
    before: Uint8Array | undefined,
    returned: unknown,
  ): Uint8Array | undefined;

  /** The function has deleted the state. */
  protected abstract deleted(draft: unknown, returned: unknown): void;

  /** Whether the value of an absent state is stored even if it is still that of `initial()`. */
  protected abstract storesUnchanged(returned: unknown): boolean;
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

  /** Resolves with what `load` would. */
  protected deleted(draft: unknown, returned: unknown): void {
    const { codec, initial } = this.call;
    if (returned !== undefined && returned !== draft) {
      throw new InvalidArgumentError(
        "The function of update() called context.delete() and also returned a new value. " +
          "Either delete the state and return nothing, or return the value.",
      );
    }
    this.#result = initial === undefined ? undefined : codec.copy(initial());
  }

  /** A value that was returned is meant. */
  protected storesUnchanged(returned: unknown): boolean {
    return returned !== undefined;
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
    this.#checkObject(draft);
    this.#result = returned;
    return draft === undefined ? undefined : this.call.codec.encode(draft);
  }

  protected deleted(draft: unknown, returned: unknown): void {
    this.#checkObject(draft);
    this.#result = returned;
  }

  /** What it returned is for its caller. */
  protected storesUnchanged(): boolean {
    return false;
  }

  #checkObject(draft: unknown): void {
    if (draft === undefined || isObject(draft)) return;
    throw new InvalidArgumentError(
      `run() is for objects, which a function can change in place; this state is ${draft === null ? "null" : `a ${typeof draft}`}. Use update().`,
    );
  }

  protected settle(): void {
    this.resolve(this.#result);
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
