// A state of the model: what the server stores, what each client believes, and what is on its way.

import type { Share } from "../../src/backends/contract.ts";
import { allHolders, endOf, nothingStored, type Stored } from "./world.ts";
import type { Program } from "./programs.ts";

/** "commit": only of the first client, in programs with a commit. */
export type Call = "ask" | "release" | "cancel" | "commit";

export interface Client {
  readonly share: Share | undefined;
  readonly phase: "idle" | "waiting" | "held" | "over";
  /** Until when it believes that it holds. */
  readonly until: number;
  /** When its last ask was made, and whether that was the first one. */
  readonly askedAt: number;
  readonly hasAskedAgain: boolean;
  /** A wake that it has not heard yet: the length of the lease. */
  readonly wakeMs: number | null;
  /** A call whose reply was lost: it is repeated before anything else is done. */
  readonly unanswered: Call | null;
  /** It was released by force, and does not know. */
  readonly isForced: boolean;
  /** Whether it asks for a second lock, has asked for it, or will not. */
  readonly second: "never" | "later" | "asked";
}

export interface State {
  readonly now: number;
  readonly stored: Stored;
  readonly clients: readonly Client[];
  /** The clients, in the order of their first asks. */
  readonly order: readonly number[];
  readonly lastFence: number;
  /** A copy of a request that arrives late. */
  readonly late: { readonly client: number; readonly call: Call } | null;
  /** The server has carried out the commit. */
  readonly isCommitted: boolean;
  /** What may happen once, and has not happened. */
  readonly mayFail: boolean;
  readonly mayForce: boolean;
  readonly mayResize: readonly number[];
}

export function beginning({ asks, faults, forces, resizes, commits = false }: Program): State {
  return {
    now: 1_000,
    stored: nothingStored,
    clients: asks.map((share, client) => ({
      ...{ share, phase: "idle", until: 0, askedAt: 0, hasAskedAgain: false },
      ...{ wakeMs: null, unanswered: null, isForced: false },
      second: commits && client === 0 ? "later" : "never",
    })),
    ...{ order: [], lastFence: 0, late: null, isCommitted: false },
    ...{ mayFail: faults ?? false, mayForce: forces ?? false, mayResize: resizes ?? [] },
  };
}

export function ticketOf(client: number): string {
  return `host:1:${"abc"[client] ?? ""}:1`;
}

/** The ticket of the first client on the second lock. */
export const secondTicket = "host:1:a:2";

/** The same text for states that differ only in when they are, and in the numbers of their fences. */
export function keyOf(state: State): string {
  const { now, stored, clients, order, late, mayFail, mayForce, mayResize } = state;
  const { lock, waiters, semaphore, secondLock, receipts } = stored;
  const all = allHolders(stored);
  const ranks = all.map(({ fence }) => fence).sort((a, b) => a - b);
  const held = all.map((row) => [
    ...[row.ticket, ranks.indexOf(row.fence), endOf(row) - now, row.leaseMs, row.unconfirmed],
  ]);
  const sum = lock?.ticket === null && [lock.firstEndsAt - now, endOf(lock) - now, now - lock.since];
  const queue = waiters.map(({ ticket, askedAt, passedOver }) => [ticket, askedAt - now, passedOver]);
  const believe = clients.map((client) => [
    ...[client.phase, Math.max(client.until - now, -1), client.wakeMs, client.unanswered, client.isForced],
    ...[client.phase === "waiting" && [client.askedAt - now, client.hasAskedAgain], client.askedAt > 0],
  ]);
  const second = secondLock && [secondLock.ticket, endOf(secondLock) - now, secondLock.leaseMs];
  const commits = [second, clients[0]?.second, state.isCommitted];
  const done = Array.from(receipts, (receipt) => [receipt?.n, receipt?.reply.status]);
  const rest = [order, late, mayFail, mayForce, mayResize, semaphore?.limit, semaphore?.created];
  return JSON.stringify([held, lock?.ticket, sum, queue, believe, commits, done, rest]);
}
