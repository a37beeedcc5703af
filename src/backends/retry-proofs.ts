/**
 * Records what a backend has sent under which receipt, and what it can prove about its server's memory [S5].
 *
 * The second attempt of an operation is a retry: its first copy may have been carried out, or may still arrive. If the
 * server has no record of it, either the first copy did not arrive, or the server has lost its memory: it was restarted
 * empty, or a replica without the record took over. A retry carries a proof to tell these apart: a receipt that the
 * server had recorded before the first attempt, and so must still have. A receipt recorded later proves nothing, since
 * the server may have lost its memory before that.
 *
 * Treating a first attempt as a retry is safe; the opposite is not. So an attempt counts from just before it is sent,
 * even if it is not sent in the end. Each server that can lose its memory has its own instance.
 */
import { now } from "../timers.ts";
import type { Receipt } from "./contract.ts";

/** The server must have a receipt of this sequence, with this number or a greater one. */
export interface Proof {
  readonly sequence: number;
  readonly n: number;
}

export interface Attempt {
  /** An earlier copy of the operation was sent, and may still arrive: every reply to this attempt is recorded. */
  readonly retry: boolean;
  /** Only on retries, if there is one. */
  readonly proof: Proof | undefined;
}

/** A receipt that the server has, recorded at `since` or later. */
interface RecordedReceipt extends Proof {
  readonly since: number;
}

/** The current operation of a sequence. Each sequence has one object, reused for all its operations. */
interface Operation {
  n: number;
  /** When its first attempt was made, and the proof that was available then. */
  firstAt: number;
  proof: RecordedReceipt | undefined;
  wasRetried: boolean;
}

const firstAttempt: Attempt = { retry: false, proof: undefined };

export class Proofs {
  readonly #now: () => number;
  /** By sequence: as many as there have ever been operations at the same time. */
  readonly #operations: Operation[] = [];
  #last: RecordedReceipt | undefined;

  constructor(clock: () => number = now) {
    this.#now = clock;
  }

  /** Call this when an attempt with this receipt is about to be sent. */
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
   * Call this when the server has replied that the operation with this receipt is recorded. Returns whether only that
   * attempt can have recorded it, because there was no other.
   */
  recorded({ sequence, n }: Receipt): boolean {
    const operation = this.#operations[sequence];
    if (operation?.n !== n) return false; // a late reply: its sequence has moved on
    const { firstAt, wasRetried } = operation;
    if (this.#last === undefined || this.#last.since <= firstAt) this.#last = { sequence, n, since: firstAt };
    return !wasRetried;
  }
}

/**
 * The server keeps a receipt for at least `keepMs`. It is used as a proof in the first half of that time. The second
 * half allows for time in transit, and for clocks that run at different speeds.
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
