// Carries out a sequence of calls on two backends and compares their answers.
//
// What must differ is made equal first: client ids become names, and stamps are compared by their order, not by their
// value. What the core never does is not tried: two different operations under one receipt.

import {
  type AcquireRequest,
  type Backend,
  type Receipt,
  type ReleaseRequest,
  type SemaphoreChange,
  type Ticket,
  type Wake,
} from "../../src/backends/contract.ts";
import { commitOf } from "./oracle-commits.ts";
import { Answers, byPlace, listings, wakesSettle, type Both, type Comparison } from "./oracle-comparison.ts";
import { manyOf } from "./oracle-many.ts";
import { History, type Entry } from "./oracle-history.ts";
import type { Op, WriteOp } from "./oracle-ops.ts";
import { Writes } from "./oracle-writes.ts";
import { ids, semaphore, wishOf } from "./oracle-wishes.ts";
import { Noting } from "./oracle-notes.ts";
import { receiptOf, Tickets, type TestTicket } from "./oracle-tickets.ts";

export class OracleRun {
  readonly #options: Comparison;
  readonly #answers: Answers;
  readonly #tickets: Tickets;
  readonly #history = new History();
  readonly #writes: Writes;
  readonly #noting: Noting;
  readonly #wakes: Both<Wake[][]> = [
    [[], [], []],
    [[], [], []],
  ];

  constructor(options: Comparison) {
    this.#options = options;
    this.#answers = new Answers(options);
    this.#tickets = new Tickets(options.placeOf);
    this.#writes = new Writes(options, this.#answers);
    this.#noting = new Noting(options, this.#tickets);
    for (const [index, side] of [options.reference, options.subject].entries()) {
      for (const [client, backend] of side.clients.entries()) {
        backend.onWake((wake) => wake.kind === "again" || this.#wakes[index as 0 | 1][client]!.push(wake));
      }
    }
  }

  async run(ops: readonly Op[]): Promise<void> {
    for (const op of ops) if (!(await this.#step(op))) return;
    if (!this.#options.wakes) return;
    await wakesSettle(this.#wakes);
    const [expected, actual] = this.#wakes;
    this.#answers.compare(byPlace(expected, this.#options), byPlace(actual, this.#options));
  }

  /** False: the run ends here. */
  async #step(op: Op): Promise<boolean> {
    if (op.op === "advance" || op.op === "forget") {
      await (op.op === "advance" ? this.#options.advance(op.ticks) : this.#forget());
      return true;
    }
    const entry = op.op === "again" ? this.#history.earlier(op.entry) : this.#entry(op);
    if (entry === undefined) return true;
    if (op.op !== "again") this.#history.add(entry);
    const [reference, subject] = [await entry.call(0), await entry.call(1)];
    if (this.#options.keepsPace?.() === false) return false;
    this.#answers.compare(reference, subject);
    this.#writes.note(entry, reference, subject);
    this.#history.note(entry, reference);
    return true;
  }

  async #forget(): Promise<void> {
    await this.#options.forget();
    this.#history.forget();
  }

  #entry(op: Exclude<Op, { op: "again" | "advance" | "forget" }>): Entry | undefined {
    switch (op.op) {
      case "ask":
        return this.#ask(op);
      case "adopt":
        return this.#adopt(op);
      case "release":
        return this.#release(op);
      case "commit":
        return this.#commit(op);
      case "force":
        return this.#force(op);
      case "cancel": {
        const ticket = this.#tickets.pick(op.ticket, true);
        return (
          ticket &&
          this.#ofTicket(ticket, (side, receipt) =>
            this.#backend(side, ticket.client).cancelLock(ticket.id, this.#name(side, ticket), receipt),
          )
        );
      }
      case "note":
        return this.#noting.entry(op);
      case "write-under": {
        const ticket = this.#tickets.pick(op.ticket, false);
        return ticket && this.#write(ticket.client, ticket.id, { ...op, ticket });
      }
      case "write":
        return this.#write(op.client, ids[op.id]!, op);
      case "write-many":
      case "load-many":
        return this.#many(op);
      case "renew":
        return this.#renew(op);
      case "touch":
        return this.#touch(op);
      case "resize":
      case "delete-semaphore":
        return this.#changeSemaphore(op);
      default:
        return this.#look(op);
    }
  }

  #ask(op: Extract<Op, { op: "ask" }>): Entry | undefined {
    const ticket = op.fresh
      ? this.#tickets.make({ client: op.client, ...wishOf(op) })
      : this.#tickets.pick(op.ticket, false);
    if (ticket === undefined) return undefined;
    const { queue, load, fences } = op;
    const request = { leaseMs: this.#options.leases[op.lease]!, queue, load, fences, share: ticket.share };
    return this.#askBy(ticket, () => request);
  }

  #adopt(op: Extract<Op, { op: "adopt" }>): Entry | undefined {
    const old = this.#tickets.pick(op.ticket, false);
    if (old === undefined || old.id === semaphore) return undefined; // a lock's: the new ticket goes on asking for it
    const ticket = this.#tickets.make({ client: op.client, id: old.id, share: undefined });
    const [stamps, leaseMs] = [this.#answers.stamp(op.fence), this.#options.leases[op.lease]!];
    const { load, fences } = op;
    return this.#askBy(ticket, (side) => {
      const from = { ticket: this.#name(side, old), fence: stamps?.[side] ?? 1 };
      return { leaseMs, queue: false, load, fences, from };
    });
  }

  #askBy(ticket: TestTicket, request: (side: 0 | 1) => AcquireRequest): Entry {
    const { id, client, sequence, n } = ticket;
    const receipt = receiptOf(sequence.index, n);
    const entry = this.#without(id, (side) =>
      this.#backend(side, client).acquireLock(id, this.#name(side, ticket), request(side), receipt),
    );
    return { ...entry, done: (status) => void (ticket.isGranted = status === "granted") };
  }

  #release(op: Extract<Op, { op: "release" }>): Entry | undefined {
    const ticket = this.#tickets.pick(op.ticket, true);
    if (ticket === undefined) return undefined;
    const write = op.write && this.#writes.of(ticket.id, op.write);
    const keep = op.keep && { leaseMs: this.#options.leases[op.keep.lease]!, fences: op.keep.fences };
    const request = (side: 0 | 1): ReleaseRequest => ({ write: write?.[side], keep: keep ?? undefined });
    const entry = this.#ofTicket(ticket, (side, receipt) =>
      this.#backend(side, ticket.client).releaseLock(
        ticket.id,
        this.#name(side, ticket),
        request(side),
        receipt,
      ),
    );
    return { ...entry, needsNoReceipt: write === null && keep === null };
  }

  #commit(op: Extract<Op, { op: "commit" }>): Entry | undefined {
    const name = (side: 0 | 1, ticket: TestTicket): Ticket => this.#name(side, ticket);
    const commit = commitOf(op, { tickets: this.#tickets, writes: this.#writes, name });
    if (commit === undefined) return undefined;
    const { client, id } = commit.tickets[0];
    const entry = this.#ofSequence(client, id, (side, receipt) =>
      this.#backend(side, client).commitStates(commit.entries[side], receipt),
    );
    const done = (status: string): void => {
      if (status === "committed") for (const ticket of commit.released) this.#end(ticket);
    };
    return { ...entry, ids: commit.tickets.map((one) => one.id), mayBeRepeated: commit.mayBeRepeated, done };
  }

  #force(op: Extract<Op, { op: "force" }>): Entry | undefined {
    const ticket = this.#tickets.pick(op.ticket, false);
    if (ticket === undefined) return undefined;
    const fence = op.ifFence === null ? undefined : this.#answers.stamp(op.ifFence);
    return this.#ofSequence(op.client, ticket.id, (side, receipt) => {
      const request = { forced: { ifFence: fence?.[side] } };
      const name = this.#name(side, ticket);
      return this.#backend(side, op.client).releaseLock(ticket.id, name, request, receipt);
    });
  }

  #write(client: number, id: string, op: { write: WriteOp; ticket?: TestTicket }): Entry {
    const write = this.#writes.of(id, op.write);
    const { ticket } = op;
    return this.#ofSequence(client, id, (side, receipt) => {
      const name = ticket === undefined ? null : this.#name(side, ticket);
      return this.#backend(side, client).writeState(id, write[side], name, receipt);
    });
  }

  #many(op: Extract<Op, { op: "write-many" | "load-many" }>): Entry {
    const { client, ids: all, load, write } = manyOf(op, this.#options, { all: ids, writes: this.#writes });
    if (op.op === "load-many") return this.#without(all[0], load);
    return { ...this.#ofSequence(client, all[0], write), ids: all };
  }

  #touch(op: Extract<Op, { op: "touch" }>): Entry {
    const id = ids[op.id]!;
    const touch = this.#writes.touch(id, op);
    return this.#ofSequence(op.client, id, (side, receipt) =>
      this.#backend(side, op.client).touchState(id, touch[side], receipt),
    );
  }

  #renew(op: Extract<Op, { op: "renew" }>): Entry | undefined {
    const first = this.#tickets.pick(op.tickets[0] ?? 0, false);
    if (first === undefined) return undefined;
    const others = op.tickets.slice(1).map((pick) => this.#tickets.pick(pick, false));
    const tickets = [first, ...others.filter((ticket) => ticket !== undefined)];
    const leaseMs = this.#options.leases[op.lease]!;
    return this.#without(first.id, (side) =>
      this.#backend(side, first.client).renewLocks(
        tickets.map((ticket) => ({ id: ticket.id, ticket: this.#name(side, ticket), leaseMs })),
      ),
    );
  }

  #changeSemaphore(op: Extract<Op, { op: "resize" | "delete-semaphore" }>): Entry {
    const change: SemaphoreChange =
      op.op === "resize" ? { kind: "resize", limit: op.limit, created: op.created } : { kind: "delete" };
    return this.#ofSequence(op.client, semaphore, (side, receipt) =>
      this.#backend(side, op.client).changeSemaphore(semaphore, change, receipt),
    );
  }

  #look(op: Extract<Op, { op: "load" | "describe" | "inspect" | "inspect-semaphore" | "list" }>): Entry {
    const id = "id" in op ? ids[op.id]! : "";
    return this.#without(id, async (side) => {
      const backend = this.#backend(side, op.client);
      if (op.op === "inspect-semaphore") return backend.inspectSemaphore(semaphore);
      if (op.op === "describe") return backend.describeState(id);
      if (op.op === "load") return backend.loadState(id, { expiry: true });
      if (op.op === "inspect") return backend.inspectLock(id);
      return listings(backend, this.#options);
    });
  }

  /** An operation without a receipt of its own. */
  #without(id: string, call: Entry["call"]): Entry {
    return { id, call, done: () => {} };
  }

  /** An operation with the receipt of its ticket. What this ticket does next is another one. */
  #ofTicket(ticket: TestTicket, call: (side: 0 | 1, receipt: Receipt) => Promise<unknown>): Entry {
    const { sequence, n } = ticket;
    const receipt = receiptOf(sequence.index, n);
    return {
      id: ticket.id,
      call: (side) => call(side, receipt),
      done: (status) => {
        if (ticket.isOver) return;
        if (status !== "released" && status !== "cancelled") ticket.n = Math.max(ticket.n, n + 1);
        else this.#end(ticket);
      },
    };
  }

  #end(ticket: TestTicket): void {
    if (ticket.isOver) return;
    ticket.isOver = true;
    ticket.sequence.n = ticket.n;
    this.#tickets.free(ticket.client, ticket.id, ticket.sequence);
  }

  /** An operation with a receipt of its own; its sequence is free for the next one as soon as it is answered. */
  #ofSequence(client: number, id: string, call: (side: 0 | 1, receipt: Receipt) => Promise<unknown>): Entry {
    const sequence = this.#tickets.takeSequence(client, id);
    const receipt = receiptOf(sequence.index, sequence.n);
    this.#tickets.free(client, id, sequence);
    return { id, call: (side) => call(side, receipt), done: () => {} };
  }

  #backend(side: 0 | 1, client: number): Backend {
    const { reference, subject } = this.#options;
    return (side === 0 ? reference : subject).clients[client]!;
  }

  #name(side: 0 | 1, { client, number }: TestTicket): Ticket {
    return `host:1:${this.#backend(side, client).clientId}:${number}`;
  }
}
