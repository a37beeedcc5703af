/** Takes a lock from its holders, whoever they are, and hands it to the next waiter. */
import type { LockEntry } from "../backends/contract.ts";
import * as parse from "../options.ts";
import type { Session } from "../session.ts";

/** Options of `lock.forceRelease()`. */
export interface ForceReleaseOptions {
  /** Only if the holder has this fence. */
  ifFence?: number | undefined;
}

/** The lock `id`, and how it is inspected. */
interface Forced {
  readonly id: string;
  readonly inspect: () => Promise<LockEntry | null>;
  readonly options: ForceReleaseOptions | undefined;
}

/** Returns false if the lock was not held, or not with the fence `ifFence`. */
export async function forceRelease(session: Session, { id, inspect, options }: Forced): Promise<boolean> {
  const { ifFence } = parse.parseOptions<ForceReleaseOptions>("forceRelease()", options, {
    ifFence: parse.fence,
  });
  const entry = await inspect();
  if (entry === null) return false;
  const tokens = entry.shares?.map(({ token }) => token) ?? [entry.holder.token];
  const done = await Promise.all(tokens.map((token) => forceOut(session, { id, token, ifFence })));
  return done.includes(true);
}

async function forceOut(
  { calls, tickets }: Session,
  { id, token, ifFence }: { id: string; token: string; ifFence: number | undefined },
): Promise<boolean> {
  const operation = { doing: "Force-releasing the lock", id };
  const { reply } = await calls.exactlyOnce(operation, (receipt) =>
    calls.backend.releaseLock(id, token, { forced: { ifFence } }, receipt),
  );
  if (reply.status !== "released") return false;
  tickets.forced(id, token);
  return true;
}
