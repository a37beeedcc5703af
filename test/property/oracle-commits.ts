// Commits of several states by one client, of those that a sequence of calls has tickets for.

import type { CommitEntry, Ticket } from "../../src/backends/contract.ts";
import type { Both } from "./oracle-comparison.ts";
import type { CommitPartOp, Op } from "./oracle-ops.ts";
import { receiptOf, type TestTicket, type Tickets } from "./oracle-tickets.ts";
import type { Writes } from "./oracle-writes.ts";

type CommitOp = Extract<Op, { op: "commit" }>;

interface Known {
  readonly tickets: Tickets;
  readonly writes: Writes;
  readonly name: (side: 0 | 1, ticket: TestTicket) => Ticket;
}

export interface Commit {
  readonly tickets: readonly [TestTicket, ...TestTicket[]];
  readonly entries: Both<readonly CommitEntry[]>;
  /** Those that it ends. */
  readonly released: readonly TestTicket[];
  readonly mayBeRepeated: () => boolean;
}

export function commitOf(op: CommitOp, known: Known): Commit | undefined {
  const tickets = op.granted ? known.tickets.grantedTogether() : anyOf(op, known.tickets);
  const [first, ...others] = tickets.slice(0, op.parts.length);
  return first && commitUnder([first, ...others], op.parts, known);
}

function anyOf({ ticket, parts }: CommitOp, from: Tickets): readonly TestTicket[] {
  const first = from.pick(ticket, true);
  if (first === undefined) return [];
  const tickets: [TestTicket, ...TestTicket[]] = [first];
  for (const { ticket } of parts.slice(1)) {
    const next = from.pickBeside(tickets, ticket);
    if (next !== undefined) tickets.push(next);
  }
  return tickets;
}

function commitUnder(tickets: Commit["tickets"], of: readonly CommitPartOp[], known: Known): Commit {
  const numbers = tickets.map(({ n }) => n);
  const parts = tickets.map((ticket, index) => entryOf(ticket, of[index]!, known));
  return {
    tickets,
    entries: [parts.map((both) => both[0]), parts.map((both) => both[1])],
    released: tickets.filter((_, index) => of[index]!.releases),
    mayBeRepeated: () => tickets.every(({ n }, index) => n === numbers[index]),
  };
}

function entryOf(ticket: TestTicket, part: CommitPartOp, { writes, name }: Known): Both<CommitEntry> {
  const written = part.write && writes.of(ticket.id, { ...part.write, ifRevision: "any" });
  const revisions = writes.conditionOf(ticket.id, part.ifRevision);
  const release = part.releases ? receiptOf(ticket.sequence.index, ticket.n) : undefined;
  const of = (side: 0 | 1): CommitEntry => ({
    ...{ id: ticket.id, ticket: name(side, ticket), release },
    ...{ write: written?.[side], ifRevision: revisions[side] },
  });
  return [of(0), of(1)];
}
