/**
 * `take`: resolves with the value and deletes the state, in one step [S3]. It is a change under the lock: the value is read
 * with the grant, and deleted with the release if it is still what was read. So the value is in no receipt, and a retry
 * whose first reply was lost still has it.
 */
import type { Durability, LoadedState, StateWrite } from "../../backends/contract.ts";
import { Change, conflictError } from "../change.ts";
import type { Codec } from "../codec.ts";

export interface TakeCall {
  readonly codec: Codec;
  readonly durability: Durability | undefined;
  /** Take it only if it is at this revision. */
  readonly ifRevision: number | undefined;
}

/** Resolves with `undefined` if the state was absent. */
export class TakeChange extends Change {
  readonly wantsRevision = false;
  readonly #call: TakeCall;
  #value: unknown;

  constructor(call: TakeCall) {
    super(call.durability);
    this.#call = call;
  }

  apply(loaded: LoadedState): StateWrite | undefined {
    const { codec, ifRevision } = this.#call;
    const stored = codec.readable(loaded);
    if (ifRevision !== undefined && ifRevision !== stored?.revision)
      throw conflictError(codec.id, { wanted: ifRevision, found: stored?.revision ?? null, doing: "taken" });
    this.#value = stored === null ? undefined : codec.valueOf(stored);
    return stored === null ? undefined : { kind: "delete" };
  }

  protected settle(): void {
    this.resolve(this.#value);
  }
}
