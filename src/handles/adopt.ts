/** Options of `lock.adopt()`, and their defaults. */
import { readToken } from "../leases/grant-token.ts";
import * as parse from "../options.ts";
import { someOf, type DurabilityOptions, type Parsed } from "../options.ts";
import { throwIfAborted } from "../ownership/abort-listeners.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import type { Session } from "../session.ts";

/** Options of `lock.adopt()`. */
export interface AdoptOptions {
  /** The lease of the new grant, in milliseconds, 100 … 86 400 000; that of the old one does not count. */
  leaseMs?: number | undefined;
  /** Whether the new grant is renewed, as for `acquire`. Default: true. */
  renew?: boolean | undefined;
  /** How long it may be held, in milliseconds, as for `acquire`. */
  maxHoldMs?: number | undefined;
  /** How many replicas must have the new grant before it is returned. */
  durability?: DurabilityOptions | undefined;
  /** Ends the call: the promise rejects with `signal.reason`. A lock that it has taken by then is released. */
  signal?: AbortSignal | undefined;
}

/** What the handle of a lock was given; its options. */
export interface LockDefaults extends Pick<WaitOptions, "leaseMs" | "maxHoldMs" | "durability"> {
  readonly id: string;
}

export async function adoptLock(
  session: Session,
  { id, ...own }: LockDefaults,
  given: { readonly token: unknown; readonly options: AdoptOptions | undefined },
): Promise<HeldGrant> {
  const { token, options } = given;
  const { durability, ...how } = parse.parseOptions<Parsed<AdoptOptions>>("adopt()", options, {
    leaseMs: parse.leaseMs,
    renew: parse.boolean,
    maxHoldMs: parse.maxHoldMs,
    durability: session.settings.readDurability,
    signal: parse.signal,
  });
  const { ticket, fence } = readToken(token, { id, place: session.store.place });
  throwIfAborted(how.signal);
  session.admit();
  return session.locks.adopt(
    { id, ticket, fence },
    { ...own, signal: undefined, ...how, durability: someOf(durability ?? own.durability) },
  );
}
