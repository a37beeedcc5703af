/**
 * What a backend has sent under which receipt, and what it can prove of its server's memory [S5].
 *
 * The second attempt of an operation is a retry: its first copy may have been carried out, or may still arrive. Where the
 * server has no record of it, either the first copy did not arrive, or the server has lost its memory: it was restarted
 * empty, or a replica without the record took over. A retry carries a proof to tell these apart: a receipt that the server
 * had recorded before the first attempt was made, so that it must still have it. A receipt that was recorded later proves
 * nothing: the server may have lost its memory before that.
 *
 * To take a first attempt for a retry is safe, the opposite is not. So an attempt counts from when it is to be sent, whether
 * or not it is. There is one of these for each server that forgets by itself.
 */
import { now } from "../timers.ts";
import type { Receipt } from "./contract.ts";

/** The server must have a receipt of this sequence, with this number or a greater one. */
export interface Proof {
  readonly sequence: number;
  readonly n: number;
}

export interface Attempt {
  /** An earlier copy of the operation was sent, and may still arrive: every answer to this one is recorded. */
  readonly retry: boolean;
  /** Only on retries, where one is known. */
  readonly proof: Proof | undefined;
}

/** A receipt that the server has. It was recorded at `since` or later. */
interface RecordedReceipt extends Proof {
  readonly since: number;
}

/** The present operation of a sequence; there is one object for each sequence, which serves its operations in turn. */
interface Operation {
  n: number;
  /** When its first attempt was made, and what could be proven then. */
  firstAt: number;
  proof: RecordedReceipt | undefined;
  wasRetried: boolean;
}

const firstAttempt: Attempt = { retry: false, proof: undefined };

export class Proofs {
  readonly #now: () => number;
  /** By sequence: as many as operations were ever under way at once. */
  readonly #operations: Operation[] = [];
  #last: RecordedReceipt | undefined;

  constructor(clock: () => number = now) {
    this.#now = clock;
  }

  /** An attempt with this receipt is about to be sent. */
  attempt({ sequence, n, keepMs }: Receipt): Attempt {
    const at = this.#now();
    const operation = this.#operations[sequence];
    if (operation !== undefined && n <= operation.n) return retryOf(operation, { n, at, keepMs });
    const proof = this.#last;
    if (operation === undefined) this.#operations[sequence] = { n, firstAt: at, proof, wasRetried: false };
    else {
      operation.n = n;
      operation.firstAt = at;
      operation.proof = proof;
      operation.wasRetried = false;
    }
    return firstAttempt;
  }

  /**
   * The server has answered that the operation with this receipt is recorded. Returns whether it can only have been
   * recorded by that very attempt: there was no other.
   */
  recorded({ sequence, n }: Receipt): boolean {
    const operation = this.#operations[sequence];
    if (operation?.n !== n) return false; // a late answer: its sequence has gone on
    const { firstAt, wasRetried } = operation;
    if (this.#last === undefined || this.#last.since <= firstAt) this.#last = { sequence, n, since: firstAt };
    return !wasRetried;
  }
}

/**
 * The server keeps a receipt for at least `keepMs`. In the first half of that it is asked for as a proof; the second half is
 * for the way there, and for clocks that do not run equally fast.
 */
function retryOf(
  operation: Operation,
  { n, at, keepMs }: { n: number; at: number; keepMs: number },
): Attempt {
  const { proof } = operation;
  if (n < operation.n) return { retry: true, proof: undefined }; // a late copy of an earlier operation
  operation.wasRetried = true;
  const isKept = proof !== undefined && at - proof.since < keepMs / 2;
  return { retry: true, proof: isKept ? proof : undefined };
}
