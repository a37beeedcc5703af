/** What is done to the lease of one hold besides renewals: giving it another length, away, or looking what is left of it. */
import type { LockEntry, RenewEntry, Ticket } from "../backends/contract.ts";
import { InvalidArgumentError, quoted } from "../errors.ts";
import { writeToken } from "./grant-token.ts";
import type { Hold } from "./hold.ts";

/** The last call of each hold: they are made one after another, so that the last one decides. */
const lastCalls = new WeakMap<Hold, Promise<unknown>>();

/**
 * Gives the hold a lease of `ms` from now on, which is also that of later renewals. If the hold is over or lost by then,
 * it stays so. Throws UnavailableError if there was no reply; the lease may then be the old one or the new one.
 */
export function extendHold(hold: Hold, ms: number): Promise<void> {
  const before = lastCalls.get(hold);
  const extended = before === undefined ? extend(hold, ms) : before.then(() => extend(hold, ms));
  const settled = extended.catch(() => undefined);
  lastCalls.set(hold, settled);
  return extended;
}

async function extend(hold: Hold, ms: number): Promise<void> {
  const { id, ticket, store, lease } = hold;
  const { calls } = store;
  if (!hold.isLive) return;
  if (hold.watch?.state === "renewing") lease.mayComeLate(lease.ms);
  let sentAt: number | undefined;
  const send = (at: number): ReturnType<typeof calls.backend.renewLocks> => {
    if (sentAt !== undefined) lease.mayComeLate(ms);
    sentAt = at;
    lease.change(at, ms);
    store.watchAgain(hold); // its end may have come nearer
    return calls.backend.renewLocks([{ id, ticket, leaseMs: ms } satisfies RenewEntry]);
  };
  try {
    const [answer] = await calls.idempotent({ doing: "Extending the lock", id }, send);
    if (answer === "lost") {
      hold.lose("the server says that it is no longer the holder");
      return;
    }
  } catch (error) {
    lease.mayComeLate(ms);
    throw error;
  }
  hold.checkExpiry();
  if (sentAt === undefined || hold.state !== "held") return;
  lease.renewed(sentAt, ms);
  store.watchAgain(hold);
}

/** Returns the token of a grant of this hold. Throws InvalidArgumentError if it is a share. */
export function handOutHold(hold: Hold, fence: number): string {
  const { id, ticket, store, share } = hold;
  if (share !== undefined)
    throw new InvalidArgumentError(
      `This grant of ${quoted(id)} is a shared one, and has no token: acquire the lock exclusively for that.`,
    );
  hold.handOut();
  return writeToken({ place: store.place, id, ticket, fence });
}

/** The machine has slept, and this hold is not renewed: asks what is left of it. Never rejects. */
export async function lookAfterSleep(hold: Hold): Promise<void> {
  const { id, ticket, store, lease } = hold;
  const { calls } = store;
  let sentAt = 0;
  try {
    const entry = await calls.idempotent({ doing: "Looking at the lock", id }, (at) => {
      sentAt = at;
      return calls.backend.inspectLock(id);
    });
    if (hold.state !== "held") return;
    const leftMs = leftOf(entry, ticket);
    if (leftMs === undefined) {
      hold.lose("its lease ended while the machine slept");
      return;
    }
    lease.seen(sentAt, leftMs);
    store.watchAgain(hold);
  } catch {
    if (hold.state === "held") hold.lose("it is not known whether its lease ended while the machine slept");
  }
}

/** How long this ticket still has what it holds, in milliseconds; `undefined`: it holds nothing. */
function leftOf(entry: LockEntry | null, ticket: Ticket): number | undefined {
  if (entry?.shares !== undefined) return entry.shares.find(({ token }) => token === ticket)?.expiresInMs;
  return entry?.holder.token === ticket ? (entry.expiresInMs ?? 0) : undefined;
}
