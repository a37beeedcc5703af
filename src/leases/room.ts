/**
 * What the parts of `lock/` need of the opened store they work in. The room itself is `lock-manager.ts`; this interface
 * stands alone so that imports go one way.
 */
import type { Conversations } from "../calls/backend-calls.ts";
import type { Turn } from "./turn.ts";

export interface Room {
  readonly conversations: Conversations;
  /** Identifies the opened store in async contexts. */
  readonly owner: object;
  /** Nobody would tell us that others wait for what we hold: we assume it [L2]. That may change. */
  readonly assumesWanted: boolean;
  /** A new ticket, known to the room until it is settled, so that wakes find it. */
  startTurn(id: string, leaseMs: number): Turn;
  /** The turn is held from now on: keep its lease alive. */
  watch(turn: Turn): void;
  unwatch(turn: Turn): void;
  /** The turn is settled on the backend, or never was known there. */
  endTurn(turn: Turn): void;
  /** The turn is no longer wanted, whatever the backend knows of it: cancel it there, in the background [L7]. */
  abandonTurn(turn: Turn): void;
  /** A reply names this ticket or token as the holder; if it is of this client and not alive, cancel it. */
  noticeHolder(id: string, token: string): void;
  /** A turn is served from now on. */
  serve(): void;
  /** That is over. */
  served(): void;
  /** A cohort has no callers any more. */
  emptied(): void;
}
