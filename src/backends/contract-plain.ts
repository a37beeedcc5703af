/**
 * What `holdfast/statefulpy` needs of Redis and of SQLite: bare bytes and bare tokens, as the Python library keeps them.
 *
 * Each method is one attempt and one atomic step. Unlike the contract in contract.ts, there are no queues, no fences and
 * no receipts, since those formats have no place for them: see decision 0053. Waiting, retrying and renewing are in
 * src/statefulpy/.
 */
import type { RenewEntry } from "./contract-types.ts";

/** The answer to one ask for a lock. */
export type PlainAnswer =
  | { readonly status: "granted" }
  | {
      readonly status: "busy";
      /** The holder's token; `undefined`: it is not known. */
      readonly holder: string | undefined;
      /** What is left of its lease, in milliseconds; `null`: it has no end, or is not known. */
      readonly leftMs: number | null;
    };

/** Who asks for a lock, and for how long the lock is kept if it is not renewed. */
export interface PlainAsk {
  readonly token: string;
  readonly leaseMs: number;
}

export interface PlainEntry {
  readonly id: string;
  /** When it was last saved; SQLite only. */
  readonly updatedAt?: Date | undefined;
}

export interface PlainPage {
  readonly entries: readonly PlainEntry[];
  /** What has no id that Python can name, as a text for messages: each once, and only without a prefix. */
  readonly skipped?: readonly string[];
  /** `null`: this was the last page. */
  readonly cursor: string | null;
}

export interface PlainStore {
  /** For messages; never with a password [P3]. */
  readonly name: string;
  /** `undefined`: calls can be sent now. Else the pending attempt to connect, whose failure means that nothing was sent. */
  connect(): Promise<void> | undefined;
  /** `null`: absent, and only that. */
  load(id: string): Promise<Uint8Array | null>;
  /** With a token: refused unless the lock has this token, checked in the same step. */
  save(id: string, bytes: Uint8Array, token: string | undefined): Promise<"saved" | "lost">;
  remove(id: string): Promise<void>;
  /** A token that holds the lock already is granted it again: a retry must not wait for itself. */
  acquire(id: string, ask: PlainAsk): Promise<PlainAnswer>;
  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]>;
  /** `false`: the lock did not have this token. */
  release(id: string, token: string): Promise<boolean>;
  /** The token that the lock has; `null`: it is free. */
  holder(id: string): Promise<string | null>;
  list(cursor: string | null, idPrefix: string): Promise<PlainPage>;
  close(): Promise<void>;
}
