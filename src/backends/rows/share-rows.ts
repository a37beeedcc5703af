/**
 * The holders of one lock that is held in shares, and its semaphore, as one decision sees and changes them.
 *
 * The others are read only if they matter: with a thousand holders, a grant or a release reads one of them.
 */
import type { Ticket } from "../contract.ts";
import type { Change, HolderRow, Rows, SemaphoreRow } from "./row-types.ts";

export class ShareRows {
  readonly #rows: Rows;
  readonly #id: string;
  /** By ticket; `null`: removed. */
  readonly #changed = new Map<Ticket, HolderRow | null>();
  /** `undefined`: not read. */
  #semaphore: SemaphoreRow | null | undefined;
  #semaphoreChanged = false;

  constructor(rows: Rows, id: string) {
    this.#rows = rows;
    this.#id = id;
  }

  holder(ticket: Ticket): HolderRow | undefined {
    const changed = this.#changed.get(ticket);
    return changed === undefined ? this.#rows.holder(this.#id, ticket) : (changed ?? undefined);
  }

  setHolder(row: HolderRow): void {
    this.#changed.set(row.ticket, row);
  }

  removeHolder(ticket: Ticket): void {
    this.#changed.set(ticket, null);
  }

  /** By fence, so in the order of their grants. Their leases may have ended. */
  all(): readonly HolderRow[] {
    const unchanged = this.#rows.holders(this.#id).filter(({ ticket }) => !this.#changed.has(ticket));
    const changed = [...this.#changed.values()].filter((row) => row !== null);
    return [...unchanged, ...changed].sort((a, b) => a.fence - b.fence);
  }

  /** The holder whose lease ends first, and of those, the one with the smallest fence. */
  first(): HolderRow | undefined {
    if (this.#changed.size === 0) return this.#rows.firstHolder(this.#id);
    return firstOf(this.all());
  }

  /** As stored; it may have ended. */
  semaphore(): SemaphoreRow | null {
    if (this.#semaphore === undefined) this.#semaphore = this.#rows.semaphore(this.#id) ?? null;
    return this.#semaphore;
  }

  setSemaphore(row: SemaphoreRow | null): void {
    this.#semaphore = row;
    this.#semaphoreChanged = true;
  }

  changes(): readonly Change[] {
    const id = this.#id;
    const changes: Change[] = [];
    for (const [ticket, row] of this.#changed) changes.push({ kind: "holder", id, ticket, row });
    if (this.#semaphoreChanged) changes.push({ kind: "semaphore", id, row: this.#semaphore ?? null });
    return changes;
  }
}

export function firstOf(holders: Iterable<HolderRow>): HolderRow | undefined {
  let first: HolderRow | undefined;
  for (const row of holders) if (first === undefined || endsBefore(row, first)) first = row;
  return first;
}

function endsBefore(a: HolderRow, b: HolderRow): boolean {
  const earlierMs = b.since + b.leaseMs - (a.since + a.leaseMs);
  return earlierMs === 0 ? a.fence < b.fence : earlierMs > 0;
}
