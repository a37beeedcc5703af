// The one server of a world: rows in memory, each client's view of them, and the ledger of all that changes them.

import type { Backend, Receipt, ReleaseRequest, Wake } from "../../../src/backends/contract.ts";
import type { Memory } from "../../../src/backends/memory/tables.ts";
import type { Attempt } from "../../../src/backends/retry-proofs.ts";
import type { Executor } from "../../../src/backends/rows/executor.ts";
import type { RowRequest, TicketWake } from "../../../src/backends/rows/request-types.ts";
import type { Limits } from "../../../src/backends/rows/row-types.ts";
import type { Copy } from "../core.ts";
import type { Ledger, Writer } from "./ledger.ts";

/** The calls of the contract that go over the network. */
export type Method = Exclude<
  keyof Backend,
  "name" | "clientId" | "askAgainMs" | "pushes" | "connect" | "onWake" | "close"
>;
export type Call = {
  readonly [M in Method]: { method: M; args: Parameters<NonNullable<Backend[M]>> };
}[Method];

/** What is sent: a call, with what its client knows of its receipt. */
export interface Sent {
  readonly call: Call;
  readonly attempt: Attempt;
}

export interface Client {
  carryOut(sent: Sent): unknown;
}

export class Server {
  readonly #memory: Memory;
  readonly #copy: Copy;
  readonly #ledger: Ledger;
  readonly #limits: Limits;
  readonly #listeners = new Map<string, (wake: Wake) => void>();

  constructor(of: { copy: Copy; ledger: Ledger; limits: Limits }) {
    this.#copy = of.copy;
    this.#ledger = of.ledger;
    this.#limits = of.limits;
    this.#memory = new of.copy.parts.Memory();
  }

  /** A client's view; its wakes go to `onWake`. */
  connect(clientId: string, onWake: ((wake: Wake) => void) | undefined): Client {
    const { parts, loop } = this.#copy;
    const limits = this.#limits;
    const store = new parts.MemoryTables(this.#memory, clientId, limits);
    const wake = (wake: TicketWake): void => this.#send(wake);
    const executor = new parts.Executor({ store, now: loop.now, limits, wake });
    if (onWake !== undefined) this.#listeners.set(clientId, onWake);
    return { carryOut: (sent) => this.#carryOut(executor, sent) };
  }

  /** In a later turn: replies come first. */
  #send(wake: TicketWake): void {
    this.#copy.loop.setImmediate(() => this.#listeners.get(clientOf(wake.ticket))?.(wake));
  }

  /** As an operator, or a program that knows nothing of us, may do. */
  deleteLock(id: string): void {
    this.#memory.locks.delete(id);
    this.#memory.holders.delete(id);
    this.#look(id, true);
  }

  deleteState(id: string): void {
    this.#memory.states.delete(id);
    this.#look(id, true);
  }

  /** [L7] Tickets that are there yet, by the id of their client. */
  *leftovers(): Generator<{ what: "lock" | "waiter"; id: string; client: string }> {
    const now = this.#copy.loop.now();
    for (const [id, lock] of this.#memory.locks) {
      const holders = lock.ticket === null ? (this.#memory.holders.get(id)?.values() ?? []) : [lock];
      for (const { since, leaseMs, ticket } of holders)
        if (since + leaseMs > now) yield { what: "lock", id, client: clientOf(ticket) };
    }
    for (const [id, queue] of this.#memory.queues) {
      for (const { askedAt, ticket } of queue.values()) {
        if (askedAt + this.#limits.askLimitMs > now) yield { what: "waiter", id, client: clientOf(ticket) };
      }
    }
  }

  #carryOut(executor: Executor, { call, attempt }: Sent): unknown {
    const ids = idsOf(call);
    const may = ids.map((id) => {
      const writer = writerOf(call, id);
      return writer !== undefined && this.#ledger.mayWrite(id, writer, this.#hasWaiters(id));
    });
    if (call.method === "awaitReplicas") return this.#renewFor(executor, call);
    const request = requestOf(call, attempt);
    const saved = call.method === "commitStates" ? savedBy(call) : [];
    const before = saved.map((id) => this.#memory.states.get(id));
    const reply = request && executor.run(request);
    ids.forEach((id, n) => this.#look(id, may[n] === true));
    const isNew = (id: string, n: number): boolean => this.#memory.states.get(id) !== before[n];
    this.#ledger.commit(saved, saved.filter(isNew));
    return reply;
  }

  /** A lock whose replicas are waited for gets its full lease; how many they are, the network says. */
  #renewFor(executor: Executor, { args: [kept] }: Extract<Call, { method: "awaitReplicas" }>): unknown {
    if (!("ticket" in kept)) return "renewed";
    const [renewed] = executor.run({ kind: "renew", entries: [kept] });
    this.#look(kept.id, false);
    return renewed;
  }

  #look(id: string, may: boolean): void {
    const lock = this.#memory.locks.get(id);
    this.#ledger.lock(id, lock?.ticket === null ? undefined : lock); // no program here asks for a share
    this.#ledger.state(id, this.#memory.states.get(id), may);
  }

  /** Some that the next hand-over would wake. */
  #hasWaiters(id: string): boolean {
    const now = this.#copy.loop.now();
    return [...(this.#memory.queues.get(id)?.values() ?? [])].some(
      ({ passedOver, askedAt }) => !passedOver && askedAt + this.#limits.askLimitMs > now,
    );
  }
}

/** `undefined`: there is nothing to decide. */
function requestOf({ method, args }: Call, attempt: Attempt): RowRequest | undefined {
  switch (method) {
    case "ready":
      return undefined;
    case "loadState":
      return { kind: "load", id: args[0], ...args[1] };
    case "loadStates":
      return { kind: "loadMany", ids: args[0] };
    case "writeStates":
      return { kind: "writeMany", entries: args[0], receipt: args[1], attempt };
    case "describeState":
      return { kind: "describe", id: args[0] };
    case "writeState":
      return { kind: "write", id: args[0], write: args[1], ticket: args[2], receipt: args[3], attempt };
    case "touchState":
      return { kind: "touch", id: args[0], touch: args[1], receipt: args[2], attempt };
    case "acquireLock":
      return { kind: "acquire", id: args[0], ticket: args[1], ask: args[2], receipt: args[3] };
    case "renewLocks":
      return { kind: "renew", entries: args[0] };
    case "releaseLock":
      return { kind: "release", id: args[0], ticket: args[1], release: args[2], receipt: args[3], attempt };
    case "commitStates":
      return { kind: "commit", entries: args[0], receipt: args[1], attempt };
    case "cancelLock":
      return { kind: "cancel", id: args[0], ticket: args[1], receipt: args[2], attempt };
    case "inspectLock":
      return { kind: "inspect", id: args[0] };
    case "noteWaits": {
      const [notes, order] = args;
      return { kind: "noteWaits", client: clientOf(notes[0]?.ticket ?? ""), notes, ...order };
    }
    case "changeSemaphore":
      return { kind: "semaphore", id: args[0], change: args[1], receipt: args[2], attempt };
    case "inspectSemaphore":
      return { kind: "inspectSemaphore", id: args[0] };
    default:
      throw new Error(`no program calls ${method}`);
  }
}

/** Of an operation that takes effect once; an acquire only names one. */
export function receiptOf({ method, args }: Call): Receipt | undefined {
  if (method === "writeState" || method === "releaseLock") return args[3];
  if (method === "commitStates" || method === "writeStates") return args[1];
  const isThird = method === "touchState" || method === "cancelLock" || method === "changeSemaphore";
  return isThird ? args[2] : undefined;
}

/** Which rows a step may change. */
function idsOf({ method, args }: Call): readonly string[] {
  if (method === "renewLocks" || method === "commitStates" || method === "writeStates")
    return args[0].map(({ id }) => id);
  if (method === "loadStates") return [];
  if (method === "awaitReplicas") return [args[0].id];
  if (method === "noteWaits") return []; // it changes no lock and no state
  if (method === "ready" || method === "listStates" || method === "countStates" || method === "listLocks")
    return [];
  return [args[0]];
}

/** Who writes the state of this id, if the call writes it. */
function writerOf({ method, args }: Call, id: string): Writer | undefined {
  if (method === "writeState") return { ticket: args[2] };
  if (method === "writeStates") return { ticket: null };
  if (method === "releaseLock") return (args[2] satisfies ReleaseRequest).write && { ticket: args[1] };
  if (method !== "commitStates") return undefined;
  const entry = args[0].find((one) => one.id === id);
  return entry?.write && { ticket: entry.ticket };
}

function savedBy({ args: [entries] }: Extract<Call, { method: "commitStates" }>): readonly string[] {
  return entries.filter(({ write }) => write?.kind === "save").map(({ id }) => id);
}

export function clientOf(ticket: string): string {
  return ticket.split(":")[2] ?? "";
}
