/**
 * Waits for replicas after an operation, and compares how many have it with how many were asked for.
 *
 * The operation is carried out as usual. Then the backend is asked how many replicas have it. If they are too few, the
 * error is an `UnavailableError` with `outcome: "unknown"`: the operation has been carried out, but may still be lost
 * in a failover. The error is final: `timeoutMs` has passed, and waiting again would exceed what the caller asked for.
 */
import type { Backend, Durability, Forgotten, Kept, Receipt } from "../backends/contract.ts";
import { recordedStatuses } from "../backends/contract-types.ts";
import { quoted, UnavailableError } from "../errors.ts";

interface Reply {
  readonly status: string;
  /** Why the write of a release failed. */
  readonly failed?: string | undefined;
}

interface What {
  readonly doing: string;
  readonly id: string;
}

type Attempt<R> = (receipt: Receipt, sentAt: number) => Promise<R | Forgotten>;

/** An operation that waits for replicas. */
export class Replication {
  readonly #what: What;
  readonly #durability: Durability;
  readonly #backend: Backend;
  #replicas = Infinity;

  constructor(what: What, durability: Durability, backend: Backend) {
    this.#what = what;
    this.#durability = durability;
    this.#backend = backend;
  }

  /** `undefined`: the operation waits for no replicas. */
  static of(
    operation: What & { readonly durability?: Durability | undefined },
    backend: Backend,
  ): Replication | undefined {
    const { durability } = operation;
    return durability && new Replication(operation, durability, backend);
  }

  /**
   * Combines the attempt and the wait, so that no other call uses the receipt before the server with the replicas is
   * checked.
   */
  after<R extends Reply>(attempt: Attempt<R>): Attempt<R> {
    return async (receipt, sentAt) => {
      this.#replicas = Infinity;
      const reply = await attempt(receipt, sentAt);
      const { status, failed } = reply as Reply;
      // A refused operation needs no replica.
      if (!recordedStatuses.has(status) || failed !== undefined) return reply;
      const replicas = await countReplicas(this.#backend, { id: this.#what.id, receipt }, this.#durability);
      if (replicas === "gone") return { status: "forgotten" };
      this.#replicas = replicas;
      return reply;
    };
  }

  /** The caller's error if too few replicas have the operation. */
  get shortage(): UnavailableError | undefined {
    if (this.#replicas >= this.#durability.replicas) return undefined;
    const advice = "The primary has applied it, but a failover could still lose it: check before you retry.";
    const text = textOf(this.#what, this.#replicas, this.#durability);
    return new UnavailableError(`${text}. ${advice}`, { outcome: "unknown" });
  }
}

export const awaitingLock = "Waiting for replicas to have the lock";

/** The error for a caller that waits for the lock: it was not granted. */
export function tooFewForLock(id: string, replicas: number, asked: Durability): UnavailableError {
  const text = textOf({ doing: awaitingLock, id }, replicas, asked);
  return new UnavailableError(`${text}. The lock was not granted to this caller.`, { outcome: "unknown" });
}

/**
 * The number of replicas that have the operation; "gone": the server that answers does not have it. The operation was
 * carried out before, and a failure here does not undo it.
 */
export async function countReplicas(
  backend: Backend,
  kept: Kept,
  durability: Durability,
): Promise<number | "gone"> {
  try {
    if (backend.awaitReplicas === undefined) throw new Error("HOLDFAST_NO_REPLICAS");
    return await backend.awaitReplicas(kept, durability);
  } catch (error) {
    if (!(error instanceof UnavailableError) || error.outcome === "unknown") throw error;
    throw new UnavailableError(error.message, { code: error.code, outcome: "unknown", cause: error });
  }
}

function textOf(what: What, replicas: number, asked: Durability): string {
  const { timeoutMs, replicas: wanted } = asked;
  return `${what.doing} ${quoted(what.id)}: ${replicas} of ${wanted} replicas acknowledged it within timeoutMs (${timeoutMs} ms)`;
}
