// What was done in a sequence of calls, and what the backends must have recorded of it.

import { recordedStatuses } from "../../src/backends/contract-types.ts";

export interface Entry {
  readonly call: (side: 0 | 1) => Promise<unknown>;
  readonly id: string;
  /** A release that only releases: Redis looks for its receipt only where its ticket does not hold the lock. */
  readonly needsNoReceipt?: boolean;
  /** Of a commit: its ids. */
  readonly ids?: readonly string[];
  /** Of a commit that is not recorded: false once its tickets have gone on, and have used the receipts that it names. */
  readonly mayBeRepeated?: () => boolean;
  readonly done: (status: string) => void;
}

export class History {
  readonly #entries: Entry[] = [];
  /** Those whose effect is recorded. */
  readonly #recorded = new Set<Entry>();

  add(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** `reply`: by the reference. */
  note(entry: Entry, reply: unknown): void {
    const status = (reply as { status?: string } | null)?.status ?? "";
    if (recordedStatuses.has(status)) this.#recorded.add(entry);
    entry.done(status);
  }

  /** Whatever was done before. */
  earlier(back: number): Entry | undefined {
    const entry = this.#entries.at(-1 - back);
    if (entry === undefined || this.#recorded.has(entry)) return entry;
    return entry.needsNoReceipt === true || entry.mayBeRepeated?.() === false ? undefined : entry;
  }

  /** The receipts of all clients were deleted. */
  forget(): void {
    this.#recorded.clear();
  }
}
