/**
 * The last reply to each waiting ticket. Nothing is pushed here, so a waiter asks every few milliseconds; usually the
 * reply is the same, and needs no write transaction.
 */
import type { AcquireReply, AcquireRequest, Receipt, Ticket, Waiting } from "../contract.ts";
import type { Executor } from "../rows/executor.ts";
import type { Connection } from "./connection.ts";

/** How often a waiter records that it is still there. Asks in between only read. */
const keepPlaceMs = 500;

/** An open file, and what carries out requests on its rows. */
export interface Session {
  readonly connection: Connection;
  readonly executor: Executor;
}

export interface Ask {
  readonly id: string;
  readonly ticket: Ticket;
  readonly request: AcquireRequest;
  readonly receipt: Receipt;
}

/** The last reply to a waiting ticket, its time, and the version of the file then. */
interface LastReply {
  readonly ask: Ask;
  /** When its last recorded ask was made. */
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly version: string;
  readonly reply: Waiting;
}

export class LastReplies {
  readonly #replies = new Map<Ticket, LastReply>();

  /** `version`: of the file, before the ask was carried out. */
  note(ask: Ask, reply: AcquireReply, at: Pick<LastReply, "askedAt" | "version">): void {
    if (reply.status !== "waiting") this.forget(ask.ticket);
    else this.#replies.set(ask.ticket, { ...at, ask, answeredAt: at.askedAt, reply });
  }

  /**
   * The reply to a repeated ask, if it needs no write transaction: nothing was committed since the last reply, or
   * nothing that matters for this ticket. `undefined`: it needs one.
   */
  again({ connection, executor }: Session, ask: Ask, time: number): Waiting | undefined {
    const last = this.#replies.get(ask.ticket);
    if (last === undefined || !isSameAsk(last.ask, ask)) return undefined;
    if (time < last.answeredAt || time - last.askedAt >= keepPlaceMs) return undefined;
    const version = connection.version();
    const retryInMs = (last.reply.retryInMs ?? Infinity) - (time - last.answeredAt);
    if (version === last.version && retryInMs > 0) return { ...last.reply, retryInMs };
    const { id, ticket, receipt } = ask;
    const reply = connection.readNow(() => executor.run({ kind: "peek", id, ticket, receipt }));
    if (reply !== undefined) this.#replies.set(ticket, { ...last, answeredAt: time, version, reply });
    return reply;
  }

  forget(ticket: Ticket): void {
    this.#replies.delete(ticket);
  }

  clear(): void {
    this.#replies.clear();
  }
}

/** Another receipt of the same ticket is a late copy, from before the ask that was answered last [S5]. */
function isSameAsk({ request: a, receipt }: Ask, { request: b, receipt: { n } }: Ask): boolean {
  if (receipt.n !== n) return false;
  return a.leaseMs === b.leaseMs && a.fences === b.fences && a.load === b.load && a.queue === b.queue;
}
