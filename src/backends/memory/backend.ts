/**
 * States and locks in maps of this process: for tests and for single processes.
 *
 * Keeps the same promises as the other backends, and is their reference: its replies are right by definition
 * (test/property/oracle.test.ts). Replies are decided in rows/. This file turns a call into a step, lists ids and
 * delivers wakes. Its clock is monotonic. It never forgets a receipt while its client is open. Its data ends with the
 * process.
 */
import { randomBytes } from "node:crypto";

import { UnavailableError } from "../../errors.ts";
import { nextTurn, now, wallNow } from "../../timers.ts";
import type {
  AcquireReply,
  Backend,
  CancelReply,
  CommitReply,
  Deadlock,
  Forgotten,
  ListRequest,
  LoadedState,
  LockEntry,
  Page,
  Receipt,
  ReleaseReply,
  RenewEntry,
  SemaphoreEntry,
  SemaphoreReply,
  StateDescription,
  StateCount,
  StateEntry,
  Ticket,
  TouchReply,
  Wake,
  WriteReply,
  WriteStatesReply,
} from "../contract.ts";
import { Proofs } from "../retry-proofs.ts";
import { Executor } from "../rows/executor.ts";
import { isEffect } from "../rows/receipts.ts";
import type { Kind, OnceKind, ReplyTo, RowRequest, TicketWake } from "../rows/request-types.ts";
import type { Limits } from "../rows/row-types.ts";
import { EventLoopYield } from "../../time/event-loop-yield.ts";
import { countStates, OrderedIds, stateEntry } from "./listing.ts";
import { copy, Memory, MemoryTables } from "./tables.ts";

export { Memory };

/** As on Redis: wakes are pushed, so a waiter asks every 5 s, and two consecutive asks may be late. */
const pushedLimits: Limits = { askLimitMs: 12_000, handOverMs: 10_000 };

/** Options of {@link MemoryBackend}. */
export interface MemoryBackendOptions {
  /** What it shares with other clients. Default: a memory of its own. */
  readonly memory?: Memory | undefined;
  /** Random unless given. */
  readonly clientId?: string | undefined;
  /** A clock in milliseconds that never goes back; tests control it. */
  readonly now?: (() => number) | undefined;
  /** The limits of another backend, to compare with it. @hidden */
  readonly limits?: Limits | undefined;
}

export class MemoryBackend implements Backend {
  readonly name = "memory:";
  readonly clientId: string;
  readonly askAgainMs = 5_000;
  readonly pushes = true;

  readonly #memory: Memory;
  readonly #now: () => number;
  readonly #executor: Executor;
  readonly #proofs = new Proofs();
  readonly #turns = new EventLoopYield();
  readonly #states: OrderedIds;
  readonly #locks: OrderedIds;
  #closed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.#memory = options.memory ?? new Memory();
    this.clientId = options.clientId ?? randomBytes(12).toString("hex");
    this.#now = options.now ?? now;
    const limits = options.limits ?? pushedLimits;
    this.#states = new OrderedIds(() => this.#memory.states.keys());
    this.#locks = new OrderedIds(() => this.#memory.locks.keys());
    this.#executor = new Executor({
      store: new MemoryTables(this.#memory, this.clientId, limits),
      now: this.#now,
      wall: options.now === undefined ? wallNow : undefined,
      limits,
      wake: (wake) => this.#send(wake),
      changed: (id) => {
        for (const client of this.#memory.watchers.get(id) ?? [])
          this.#sendTo(client, { kind: "changed", id });
      },
    });
  }

  ready(): Promise<void> {
    return this.#step(() => undefined);
  }

  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState> {
    return this.#run({ kind: "load", id, expiry: options.expiry });
  }

  describeState(id: string): Promise<StateDescription | null> {
    return this.#run({ kind: "describe", id });
  }

  writeState(...args: Parameters<Backend["writeState"]>): Promise<WriteReply> {
    const [id, write, ticket, receipt] = args;
    return this.#once({ kind: "write", id, write, ticket, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  loadStates(ids: readonly string[]): Promise<readonly LoadedState[]> {
    return this.#run({ kind: "loadMany", ids });
  }

  writeStates(...args: Parameters<Backend["writeStates"]>): Promise<WriteStatesReply> {
    const [entries, receipt] = args;
    return this.#once({ kind: "writeMany", entries, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  touchState(...args: Parameters<Backend["touchState"]>): Promise<TouchReply> {
    const [id, touch, receipt] = args;
    return this.#once({ kind: "touch", id, touch, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    return this.#step(() => {
      const time = this.#now();
      const entryOf = (id: string): StateEntry | null => stateEntry(this.#memory, id, { time, ...request });
      return this.#states.page(cursor, request, entryOf);
    });
  }

  countStates(idPrefix: string): Promise<StateCount> {
    return this.#step(() => countStates(this.#memory, idPrefix, this.#now()));
  }

  acquireLock(...args: Parameters<Backend["acquireLock"]>): Promise<AcquireReply> {
    const [id, ticket, ask, receipt] = args;
    return this.#run({ kind: "acquire", id, ticket, ask, receipt });
  }

  renewLocks(entries: readonly RenewEntry[]): Promise<("renewed" | "lost")[]> {
    return this.#run({ kind: "renew", entries });
  }

  releaseLock(...args: Parameters<Backend["releaseLock"]>): Promise<ReleaseReply> {
    const [id, ticket, release, receipt] = args;
    return this.#once({
      kind: "release",
      id,
      ticket,
      release,
      receipt,
      attempt: this.#proofs.attempt(receipt),
    });
  }

  commitStates(...args: Parameters<Backend["commitStates"]>): Promise<CommitReply> {
    const [entries, receipt] = args;
    return this.#once({ kind: "commit", entries, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    return this.#once({ kind: "cancel", id, ticket, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    return this.#run({ kind: "inspect", id });
  }

  noteWaits(...args: Parameters<Backend["noteWaits"]>): Promise<readonly (Deadlock | null)[]> {
    const [notes, { n, keepMs }] = args;
    return this.#run({ kind: "noteWaits", client: this.clientId, notes, n, keepMs });
  }

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    return this.#step(() =>
      this.#locks.page(cursor, request, (id) => this.#executor.run({ kind: "inspect", id })),
    );
  }

  changeSemaphore(...args: Parameters<Backend["changeSemaphore"]>): Promise<SemaphoreReply | Forgotten> {
    const [id, change, receipt] = args;
    return this.#once({ kind: "semaphore", id, change, receipt, attempt: this.#proofs.attempt(receipt) });
  }

  inspectSemaphore(id: string): Promise<SemaphoreEntry | null> {
    return this.#run({ kind: "inspectSemaphore", id });
  }

  watch(id: string): Promise<void> {
    const { watchers } = this.#memory;
    return this.#step(() => void watchers.set(id, (watchers.get(id) ?? new Set()).add(this.clientId)));
  }

  unwatch(id: string): Promise<void> {
    return this.#step(() => this.#unwatch(id));
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#memory.listeners.set(this.clientId, listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#memory.listeners.delete(this.clientId);
    this.#memory.receipts.delete(this.clientId);
    this.#memory.waits.delete(this.clientId);
    for (const id of this.#memory.watchers.keys()) this.#unwatch(id);
    return Promise.resolve();
  }

  #unwatch(id: string): void {
    const { watchers } = this.#memory;
    const clients = watchers.get(id);
    clients?.delete(this.clientId);
    if (clients?.size === 0) watchers.delete(id);
  }

  #run<K extends Kind>(request: RowRequest<K>): Promise<ReplyTo<K>> {
    return this.#step(() => this.#executor.run(request));
  }

  #once<K extends OnceKind>(request: RowRequest<K>): Promise<ReplyTo<K>> {
    return this.#step(() => {
      const reply = this.#executor.run(request);
      if (isEffect(reply)) this.#proofs.recorded(request.receipt);
      return reply;
    });
  }

  /** Calls made after the close are refused; those made before it are carried out [P2]. */
  #step<T>(step: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new UnavailableError("This memory backend was closed."));
    return this.#turns.run(step);
  }

  /**
   * In a later turn of the event loop: replies come first, and two clients that wake each other do not starve others.
   */
  #send(wake: TicketWake): void {
    const client = wake.ticket.split(":").at(-2) ?? "";
    this.#sendTo(client, withOwnBytes(wake));
  }

  #sendTo(client: string, wake: Wake): void {
    nextTurn(() => this.#memory.listeners.get(client)?.(wake));
  }
}

/** A wake may carry the very bytes that were just written, which belong to the writer. */
function withOwnBytes(wake: TicketWake): TicketWake {
  if (wake.kind !== "granted") return wake;
  const { state } = wake;
  if (state === undefined || state === null || !("bytes" in state)) return wake;
  return { ...wake, state: { ...state, bytes: copy(state.bytes) } };
}
