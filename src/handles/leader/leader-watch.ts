/**
 * `leader.watch()`: yields each change of who leads that it sees [E1]. So it may miss a term that is short, and it never
 * shows one that has ended for longer than its interval.
 */
import type { Session } from "../../session.ts";
import { changesOf } from "../changes.ts";
import type { SeenLeader } from "./leader-record.ts";
import type { LeaderInfo } from "./leader.ts";

/** A leader with a very short lease is not asked about at the end of each. */
const shortestLeaseMs = 250;

export interface WatchedLeader<T> {
  readonly session: Session;
  readonly key: string;
  readonly look: () => Promise<SeenLeader<T> | null>;
  /** `undefined`: the default. */
  readonly intervalMs: number | undefined;
}

export function leadersOf<T>(watched: WatchedLeader<T>): AsyncIterable<LeaderInfo<T> | null> {
  const { session, key: id, intervalMs } = watched;
  const look = async () => {
    const seen = await watched.look();
    const leaseMs = seen?.leaseMs ?? null;
    return {
      version: seen?.revision ?? null,
      value: () => seen?.info ?? null,
      endsInMs: leaseMs === null ? null : Math.max(leaseMs, shortestLeaseMs),
    };
  };
  return changesOf({ session, id, look, intervalMs, outlasts: () => false });
}
