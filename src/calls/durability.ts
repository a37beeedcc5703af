/**
 * Acknowledged only when enough replicas have it: the wait that follows an operation, and what comes of it.
 *
 * An operation is carried out as ever; then its backend is asked how many replicas have it, and that is compared with
 * how many were asked for. Too few: `UnavailableError` with `outcome: "unknown"`, since it is done, and may yet be lost in
 * a failover. That answer is final: `timeoutMs` has been waited, and waiting again would not be what was asked for.
 */
import { type Durability, type Forgotten, type Kept, type Receipt } from "../backends/contract.ts";
import { recordedStatuses } from "../backends/recorded.ts";
import type { Conversations, Slot } from "./backend-calls.ts";
import { UnavailableError } from "../errors.ts";

export interface Told<T> {
  readonly doing: string;
  readonly id: string;
  /** `undefined`: no replica is waited for. */
  readonly durability: Durability | undefined;
  /** As of {@link Conversations.tell}. */
  readonly slot?: Slot;
  /** Of a durable one: hears of the reply also where the call then throws because too few replicas have it. */
  readonly onReply?: (reply: Exclude<T, Forgotten>) => void;
}

interface Reply {
  readonly status: string;
  /** The write of a release that was not made. */
  readonly failed?: string | undefined;
}

/** As {@link Conversations.tell}, until enough replicas have what was done. */
export function tellDurably<T extends Reply>(
  conversations: Conversations,
  told: Told<T>,
  attempt: Attempt<T>,
): Promise<Exclude<T, Forgotten>> {
  const { durability } = told;
  if (durability === undefined) return conversations.tell(told, attempt, told.slot);
  return new DurableOperation(conversations, { ...told, durability }, attempt).tell();
}

type Attempt<T> = (receipt: Receipt, sentAt: number) => Promise<T | Forgotten>;

class DurableOperation<T extends Reply> {
  readonly #conversations: Conversations;
  readonly #told: Told<T> & { readonly durability: Durability };
  readonly #attempt: Attempt<T>;
  #replicas = Infinity;

  constructor(
    conversations: Conversations,
    told: Told<T> & { readonly durability: Durability },
    attempt: Attempt<T>,
  ) {
    this.#conversations = conversations;
    this.#told = told;
    this.#attempt = attempt;
  }

  async tell(): Promise<Exclude<T, Forgotten>> {
    const { durability, slot } = this.#told;
    const both = (receipt: Receipt, sentAt: number): Promise<T | Forgotten> => this.#both(receipt, sentAt);
    const reply = await this.#conversations.tell<T>(this.#told, both, slot);
    this.#told.onReply?.(reply);
    if (this.#replicas < durability.replicas) throw tooFew(this.#told, this.#replicas, durability);
    return reply;
  }

  /** In one attempt, so that nobody else uses the receipt before it was found on the server that has the replicas. */
  async #both(receipt: Receipt, sentAt: number): Promise<T | Forgotten> {
    this.#replicas = Infinity;
    const reply = await this.#attempt(receipt, sentAt);
    const { status, failed } = reply as Reply;
    // Whatever refused the operation needs no replica.
    if (!recordedStatuses.has(status) || failed !== undefined) return reply;
    const { id, durability } = this.#told;
    const replicas = await ask(this.#conversations, { id, receipt }, durability);
    if (replicas === "gone") return { status: "forgotten" };
    this.#replicas = replicas;
    return reply;
  }
}

/** How many replicas know that a ticket of ours holds the lock. "gone": the server that answers now does not. */
export function awaitLock(
  conversations: Conversations,
  { id, ticket, leaseMs }: Extract<Kept, { leaseMs: number }>,
  durability: Durability,
): Promise<number | "gone"> {
  const kept = { id, ticket, leaseMs };
  return conversations.ask({ doing, id }, () => ask(conversations, kept, durability));
}

/** For whoever was to have the lock: it was not handed out. */
export function tooFewForLock(id: string, replicas: number, asked: Durability): UnavailableError {
  return new UnavailableError(`${textOf({ doing, id }, replicas, asked)}. It was not handed out.`, {
    outcome: "unknown",
  });
}

const doing = "Waiting for replicas to have the lock";

/** The operation was carried out before: whatever goes wrong here, that remains. */
async function ask({ backend }: Conversations, kept: Kept, durability: Durability): Promise<number | "gone"> {
  try {
    if (backend.awaitReplicas === undefined) throw new Error("HOLDFAST_NO_REPLICAS");
    return await backend.awaitReplicas(kept, durability);
  } catch (error) {
    if (!(error instanceof UnavailableError) || error.outcome === "unknown") throw error;
    throw new UnavailableError(error.message, { code: error.code, outcome: "unknown", cause: error });
  }
}

interface What {
  readonly doing: string;
  readonly id: string;
}

function tooFew(what: What, replicas: number, asked: Durability): UnavailableError {
  const advice = `It is done on the primary, and lost if another server takes over now: look before you repeat it.`;
  return new UnavailableError(`${textOf(what, replicas, asked)}. ${advice}`, { outcome: "unknown" });
}

function textOf(what: What, replicas: number, asked: Durability): string {
  const { timeoutMs, replicas: wanted } = asked;
  return `${what.doing} ${JSON.stringify(what.id)}: ${replicas} of ${wanted} replicas acknowledged it within timeoutMs (${timeoutMs} ms)`;
}
