/** One application of a change to the state of a batch: what it was applied to, and what came of it. */
import type { StateWrite } from "../../backends/contract.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import type { Change } from "../change.ts";

/** A change whose function is running, or has run. */
export interface Applied {
  readonly change: Change;
  /** Resolves when the function has ended; `undefined`: it has ended already. */
  readonly over: Promise<void> | undefined;
  /** What its function threw. */
  readonly failure: { readonly error: unknown } | undefined;
  /** The grant that it runs under; `undefined`: that of its caller. */
  readonly grant: HeldGrant | undefined;
}

export class Application implements Applied {
  readonly change: Change;
  /** The start of the batch at which it was applied: an older one means that the state has been replaced. */
  readonly start: number;
  /** Whether that state had unsaved changes. */
  onUnsaved: boolean;
  over: Promise<void> | undefined;
  write: StateWrite | undefined;
  failure: { readonly error: unknown } | undefined;
  grant: HeldGrant | undefined;

  constructor(change: Change, on: { readonly start: number; readonly onUnsaved: boolean }) {
    this.change = change;
    this.start = on.start;
    this.onUnsaved = on.onUnsaved;
  }
}
