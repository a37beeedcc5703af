/** The errors for asks whose replies are no use: refused by the backend, or granted too late. */
import type { Mismatch, Share } from "../backends/contract.ts";
import { CorruptStateError, InvalidArgumentError, quoted, shownId, UnavailableError } from "../errors.ts";
import type { OwnTicket } from "../leases/ticket.ts";

/** This client never asks for a ticket that has ended. */
export function settledTicket(ticket: string): CorruptStateError {
  return new CorruptStateError(
    `HOLDFAST_SETTLED_TICKET: the server says that ticket ${ticket}, which is still asking for the lock, has ` +
      `already ended. Find out what else writes keys with this prefix.`,
  );
}

/** `backend`: its name. */
export function grantedTooLate({ id, leaseMs }: OwnTicket, backend: string): UnavailableError {
  return new UnavailableError(
    `The lock ${quoted(id)} was granted, but the reply from ${backend} arrived after the lease had ended ` +
      `(leaseMs: ${leaseMs}). Use a longer leaseMs.`,
  );
}

/** The ask does not suit the semaphore [L13]. */
export function mismatch(id: string, share: Share | undefined, { limit, created }: Mismatch): Error {
  const name = shownId(id); // semaphore "gpu"
  if (share?.kind !== "permits") return new Error(`HOLDFAST_MISMATCH_OF_A_LOCK: ${name}`);
  const { weight, limit: asked } = share;
  if (limit === null && asked === null) {
    return new InvalidArgumentError(
      `There is no ${name} yet. Say how many permits it has: store.semaphore(id, { permits: 4 }).`,
    );
  }
  const permits = limit ?? asked;
  if (asked === null || asked === limit || asked === created || limit === null) {
    return new InvalidArgumentError(
      `weight must be at most the number of permits of the ${name}, which is ${permits}; got ${weight}.`,
    );
  }
  const made = created === null || created === limit ? "" : ` and was created with ${created}`;
  return new InvalidArgumentError(
    `The ${name} has ${limit} permits${made}, but this handle says ${asked}. All handles must name the same ` +
      `number, or omit it; to change it, call resize(${asked}).`,
  );
}
