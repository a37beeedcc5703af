// Carries out a sequence of calls on two backends and compares their answers.
//
// What must differ is made equal first: client ids become names, and stamps are compared by their order, not by their
// value. What the core never does is not tried: two different operations under one receipt.

import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";

import {
  type Backend,
  type Life,
  type Receipt,
  type ReleaseRequest,
  type StateWrite,
  type Ticket,
  type Wake,
} from "../../src/backends/contract.ts";
import { recordedStatuses } from "../../src/backends/messages.ts";
import { save, remove } from "../../src/testing/contract-client.ts";
import type { Op, WriteOp } from "./oracle-ops.ts";

export interface Side {
  readonly clients: readonly Backend[];
}

export interface Comparison {
  readonly reference: Side;
  readonly subject: Side;
  readonly leases: readonly [number, number, number];
  readonly ttls: readonly [number, number];
  /** Lets time pass on both sides. */
  readonly advance: (ticks: number) => Promise<void>;
  /** Deletes the receipts of all clients, on both sides. */
  readonly forget: () => Promise<void>;
  /** False where both sides read their own clocks: then durations are compared by whether there is one. */
  readonly exactTimes: boolean;
  /** Asked after each step: false ends the run, since the two clocks may no longer agree on what has expired. */
  readonly keepsPace?: () => boolean;
  /** Whether the subject can wake. */
  readonly wakes: boolean;
}

interface Sequence {
  readonly index: number;
  n: number;
}

/** A pair of values that mean the same on each side. */
type Both<T> = readonly [T, T];

interface TestTicket {
  readonly client: number;
  readonly number: number;
  readonly id: string;
  readonly sequence: Sequence;
  n: number;
  /** Released or cancelled. */
  isOver: boolean;
}

interface Entry {
  readonly call: (side: 0 | 1) => Promise<unknown>;
  readonly id: string;
  /** A release that only releases: Redis looks for its receipt only where its ticket does not hold the lock. */
  readonly needsNoReceipt?: boolean;
  readonly done: (status: string) => void;
}

const ids = ["x", "y"];
const stampKeys = new Set(["revision", "fence", "lastFence"]);
const durationKeys = new Set(["retryInMs", "expiresInMs"]);

export class OracleRun {
  readonly #options: Comparison;
  readonly #tickets: TestTicket[] = [];
  readonly #freeSequences: Sequence[][] = [[], [], []];
  #sequences = 0;
  readonly #history: Entry[] = [];
  /** Those whose effect is recorded. */
  readonly #recorded = new Set<Entry>();
  readonly #stamps: Both<number>[] = [];
  readonly #latest = new Map<string, Both<number>>();
  readonly #wakes: Both<Wake[][]> = [
    [[], [], []],
    [[], [], []],
  ];

  constructor(options: Comparison) {
    this.#options = options;
    for (const [index, side] of [options.reference, options.subject].entries()) {
      for (const [client, backend] of side.clients.entries()) {
        backend.onWake((wake) => wake.kind === "again" || this.#wakes[index as 0 | 1][client]!.push(wake));
      }
    }
  }

  async run(ops: readonly Op[]): Promise<void> {
    for (const op of ops) if (!(await this.#step(op))) return;
    if (!this.#options.wakes) return;
    await this.#wakesSettle();
    this.#compare(this.#wakes[0], this.#wakes[1]);
  }

  /** Those that come too many need a moment, those that are missing get a second. */
  async #wakesSettle(): Promise<void> {
    const deadline = performance.now() + 1_000;
    await sleep(10);
    while (this.#wakes[1].flat().length < this.#wakes[0].flat().length && performance.now() < deadline)
      await sleep(5);
  }

  /** False: the run ends here. */
  async #step(op: Op): Promise<boolean> {
    if (op.op === "advance" || op.op === "forget") {
      await (op.op === "advance" ? this.#options.advance(op.ticks) : this.#forget());
      return true;
    }
    const entry = op.op === "again" ? this.#earlier(op.entry) : this.#entry(op);
    if (entry === undefined) return true;
    if (op.op !== "again") this.#history.push(entry);
    const [reference, subject] = [await entry.call(0), await entry.call(1)];
    if (this.#options.keepsPace?.() === false) return false;
    this.#compare(reference, subject);
    this.#note(entry, reference, subject);
    return true;
  }

  async #forget(): Promise<void> {
    await this.#options.forget();
    this.#recorded.clear();
  }

  #note(entry: Entry, reference: unknown, subject: unknown): void {
    this.#noteRevision(entry.id, reference, subject);
    const status = (reference as { status?: string } | null)?.status ?? "";
    if (recordedStatuses.has(status)) this.#recorded.add(entry);
    entry.done(status);
  }

  /** Whatever was done before. */
  #earlier(back: number): Entry | undefined {
    const entry = this.#history.at(-1 - back);
    return entry?.needsNoReceipt === true && !this.#recorded.has(entry) ? undefined : entry;
  }

  #entry(op: Exclude<Op, { op: "again" | "advance" | "forget" }>): Entry | undefined {
    switch (op.op) {
      case "ask":
        return this.#ask(op);
      case "release":
        return this.#release(op);
      case "force":
        return this.#force(op);
      case "cancel": {
        const ticket = this.#pick(op.ticket, true);
        return (
          ticket &&
          this.#ofTicket(ticket, (side, receipt) =>
            this.#backend(side, ticket.client).cancelLock(ticket.id, this.#name(side, ticket), receipt),
          )
        );
      }
      case "write-under": {
        const ticket = this.#pick(op.ticket, false);
        return ticket && this.#write(ticket.client, ticket.id, { ...op, ticket });
      }
      case "write":
        return this.#write(op.client, ids[op.id]!, op);
      case "renew":
        return this.#renew(op);
      case "touch":
        return this.#touch(op);
      default:
        return this.#look(op);
    }
  }

  #ask(op: Extract<Op, { op: "ask" }>): Entry | undefined {
    const ticket = op.fresh ? this.#newTicket(op.client, ids[op.id]!) : this.#pick(op.ticket, false);
    if (ticket === undefined) return undefined;
    const { queue, load, fences } = op;
    const request = { leaseMs: this.#options.leases[op.lease]!, queue, load, fences };
    const receipt = this.#receipt(ticket.sequence.index, ticket.n);
    return this.#without(ticket.id, (side) =>
      this.#backend(side, ticket.client).acquireLock(ticket.id, this.#name(side, ticket), request, receipt),
    );
  }

  #release(op: Extract<Op, { op: "release" }>): Entry | undefined {
    const ticket = this.#pick(op.ticket, true);
    if (ticket === undefined) return undefined;
    const write = op.write && this.#writeOf(ticket.id, op.write);
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

  #force(op: Extract<Op, { op: "force" }>): Entry | undefined {
    const ticket = this.#pick(op.ticket, false);
    if (ticket === undefined) return undefined;
    const fence = op.ifFence === null ? undefined : this.#stamps.at(-1 - op.ifFence);
    return this.#ofSequence(op.client, ticket.id, (side, receipt) => {
      const request = { forced: { ifFence: fence?.[side] } };
      return this.#backend(side, op.client).releaseLock(
        ticket.id,
        this.#name(side, ticket),
        request,
        receipt,
      );
    });
  }

  #write(client: number, id: string, op: { write: WriteOp; ticket?: TestTicket }): Entry {
    const write = this.#writeOf(id, op.write);
    const { ticket } = op;
    return this.#ofSequence(client, id, (side, receipt) => {
      const name = ticket === undefined ? null : this.#name(side, ticket);
      return this.#backend(side, client).writeState(id, write[side], name, receipt);
    });
  }

  #touch(op: Extract<Op, { op: "touch" }>): Entry {
    const [id, ttlMs] = [ids[op.id]!, this.#options.ttls[op.ttl]!];
    return this.#ofSequence(op.client, id, (side, receipt) =>
      this.#backend(side, op.client).touchState(id, ttlMs, receipt),
    );
  }

  #renew(op: Extract<Op, { op: "renew" }>): Entry | undefined {
    const first = this.#pick(op.tickets[0] ?? 0, false);
    if (first === undefined) return undefined;
    const others = op.tickets.slice(1).map((pick) => this.#pick(pick, false));
    const tickets = [first, ...others.filter((ticket) => ticket !== undefined)];
    const leaseMs = this.#options.leases[op.lease]!;
    return this.#without(first.id, (side) =>
      this.#backend(side, first.client).renewLocks(
        tickets.map((ticket) => ({ id: ticket.id, ticket: this.#name(side, ticket), leaseMs })),
      ),
    );
  }

  #look(op: Extract<Op, { op: "load" | "inspect" | "list" }>): Entry {
    const id = "id" in op ? ids[op.id]! : "";
    return this.#without(id, async (side) => {
      const backend = this.#backend(side, op.client);
      if (op.op === "load") return backend.loadState(id, { expiry: true });
      if (op.op === "inspect") return backend.inspectLock(id);
      return [
        await everyPage((cursor) => backend.listStates(cursor, { idPrefix: "", limit: 1 })),
        await everyPage((cursor) => backend.listLocks(cursor, { idPrefix: "", limit: 1 })),
      ];
    });
  }

  /** An operation without a receipt of its own. */
  #without(id: string, call: Entry["call"]): Entry {
    return { id, call, done: () => {} };
  }

  /** An operation with the receipt of its ticket. What this ticket does next is another one. */
  #ofTicket(ticket: TestTicket, call: (side: 0 | 1, receipt: Receipt) => Promise<unknown>): Entry {
    const { client, sequence, n } = ticket;
    const receipt = this.#receipt(sequence.index, n);
    return {
      id: ticket.id,
      call: (side) => call(side, receipt),
      done: (status) => {
        if (ticket.isOver) return;
        if (status !== "released" && status !== "cancelled") ticket.n = Math.max(ticket.n, n + 1);
        else {
          ticket.isOver = true;
          sequence.n = ticket.n;
          this.#freeSequences[client]!.push(sequence);
        }
      },
    };
  }

  /** An operation with a receipt of its own; its sequence is free for the next one as soon as it is answered. */
  #ofSequence(client: number, id: string, call: (side: 0 | 1, receipt: Receipt) => Promise<unknown>): Entry {
    const sequence = this.#takeSequence(client);
    const receipt = this.#receipt(sequence.index, sequence.n);
    this.#freeSequences[client]!.push(sequence);
    return { id, call: (side) => call(side, receipt), done: () => {} };
  }

  #newTicket(client: number, id: string): TestTicket {
    const sequence = this.#takeSequence(client);
    const ticket = { client, number: this.#tickets.length, id, sequence, n: sequence.n, isOver: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  #pick(back: number, live: boolean): TestTicket | undefined {
    const tickets = live ? this.#tickets.filter(({ isOver }) => !isOver) : this.#tickets;
    return tickets.at(-1 - (tickets.length === 0 ? 0 : back % tickets.length));
  }

  #takeSequence(client: number): Sequence {
    const sequence = this.#freeSequences[client]!.pop() ?? { index: this.#sequences++, n: 0 };
    sequence.n += 1;
    return sequence;
  }

  #receipt(sequence: number, n: number): Receipt {
    return { sequence, n, keepMs: 86_400_000 };
  }

  #lifeOf(ttl: WriteOp["ttl"]): Life {
    if (typeof ttl === "string") return ttl;
    const ms = (index: number): number => this.#options.ttls[index]!;
    return typeof ttl === "number" ? ms(ttl) : { whenNew: ms(ttl.whenNew) };
  }

  #writeOf(id: string, op: WriteOp): Both<StateWrite> {
    const revision = op.ifRevision === "latest" ? this.#latest.get(id) : this.#stamps[0];
    const ttlMs = this.#lifeOf(op.ttl);
    const of = (side: 0 | 1): StateWrite => {
      const ifRevision =
        op.ifRevision === "any" ? undefined : op.ifRevision === "absent" ? "absent" : (revision?.[side] ?? 1);
      if (op.kind === "delete") return remove({ ifRevision });
      return save(`value ${op.value}`, { serializer: op.serializer, ttlMs, ifRevision });
    };
    return [of(0), of(1)];
  }

  #backend(side: 0 | 1, client: number): Backend {
    const { reference, subject } = this.#options;
    return (side === 0 ? reference : subject).clients[client]!;
  }

  #name(side: 0 | 1, { client, number }: TestTicket): Ticket {
    return `host:1:${this.#backend(side, client).clientId}:${number}`;
  }

  #noteRevision(id: string, reference: unknown, subject: unknown): void {
    const [one, two] = [reference, subject].map(
      (reply) => (reply as { revision?: unknown } | null)?.revision,
    );
    if (typeof one === "number" && typeof two === "number") this.#latest.set(id, [one, two]);
  }

  #compare(reference: unknown, subject: unknown): void {
    const stamps: Both<number[]> = [[], []];
    const [one, two] = [this.#plain(0, reference, stamps[0]), this.#plain(1, subject, stamps[1])];
    expect(two).toEqual(one);
    for (const [index, stamp] of stamps[0].entries()) this.#pairStamps([stamp, stamps[1][index]!]);
  }

  /** The same stamp on one side is the same on the other, and a greater one is greater. */
  #pairStamps(pair: Both<number>): void {
    for (const known of this.#stamps) {
      const order = [Math.sign(pair[0] - known[0]), Math.sign(pair[1] - known[1])];
      expect(order[1], `stamps ${pair.join()} against ${known.join()}`).toBe(order[0]);
      if (order[0] === 0) return;
    }
    this.#stamps.push(pair);
  }

  /** The reply in words that both sides share; its stamps go to `stamps`. */
  #plain(side: 0 | 1, value: unknown, stamps: number[]): unknown {
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    if (Array.isArray(value)) return value.map((item) => this.#plain(side, item, stamps));
    if (typeof value === "string") return this.#withNames(side, value);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value as Record<string, unknown>).filter(
      ([, field]) => field !== undefined,
    );
    return Object.fromEntries(
      entries.sort().map(([key, field]) => {
        if (stampKeys.has(key) && typeof field === "number") {
          stamps.push(field);
          return [key, "a stamp"];
        }
        if (durationKeys.has(key) && !this.#options.exactTimes)
          return [key, field === null ? null : "some time"];
        return [key, this.#plain(side, field, stamps)];
      }),
    );
  }

  #withNames(side: 0 | 1, text: string): string {
    const { clients } = side === 0 ? this.#options.reference : this.#options.subject;
    return clients.reduce(
      (named, { clientId }, client) => named.replaceAll(clientId, `client-${client}`),
      text,
    );
  }
}

async function everyPage<Entry extends { id: string }>(
  page: (cursor: string | null) => Promise<{ entries: readonly Entry[]; cursor: string | null }>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | null = null;
  do {
    const next: { entries: readonly Entry[]; cursor: string | null } = await page(cursor);
    entries.push(...next.entries);
    cursor = next.cursor;
  } while (cursor !== null);
  return entries.sort((one, two) => (one.id < two.id ? -1 : 1));
}
