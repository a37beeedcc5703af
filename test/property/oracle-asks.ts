// Asks for a lock: those that may wait, and those that take it over from its holder.

import type {
  AcquireReply,
  AcquireRequest,
  Backend,
  TakenFrom,
  Ticket,
} from "../../src/backends/contract.ts";
import type { Op } from "./oracle-ops.ts";
import { receiptOf, type TestTicket } from "./oracle-tickets.ts";

export type AdoptOp = Extract<Op, { op: "adopt" }>;

/** `name`: of the ticket, on this backend. */
export function askBy(
  { id, sequence, n }: TestTicket,
  { backend, name }: { readonly backend: Backend; readonly name: Ticket },
  request: AcquireRequest,
): Promise<AcquireReply> {
  return backend.acquireLock(id, name, request, receiptOf(sequence.index, n));
}

export function adoption({ load, fences }: AdoptOp, from: TakenFrom, leaseMs: number): AcquireRequest {
  return { leaseMs, queue: false, load, fences, from };
}
