// The one server of a world: rows in memory, each client's view of them, and the ledger of all that changes them.

import type { Backend, ReleaseRequest, RenewEntry, Wake } from "../../../src/backends/contract.ts";
import type { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
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

export interface Client {
  carryOut(call: Call): Promise<unknown>;
}

export class Server {
  readonly #memory: Memory;
  readonly #copy: Copy;
  readonly #ledger: Ledger;
  readonly #limits: Limits;

  constructor(of: { copy: Copy; ledger: Ledger; limits: Limits }) {
    this.#copy = of.copy;
    this.#ledger = of.ledger;
    this.#limits = of.limits;
    this.#memory = new of.copy.rows.Memory();
  }

  /** A client's view; its wakes go to `onWake`. */
  connect(clientId: string, onWake: ((wake: Wake) => void) | undefined): Client {
    const backend = new this.#copy.rows.MemoryBackend({
      memory: this.#memory,
      clientId,
      now: this.#copy.loop.now,
      limits: this.#limits,
    });
    void backend.ready(); // the first step of all waits for a turn, and no other one does
    if (onWake !== undefined) backend.onWake(onWake);
    return { carryOut: (call) => this.#carryOut(backend, call) };
  }

  /** As an operator, or a program that knows nothing of us, may do. */
  deleteLock(id: string): void {
    this.#memory.locks.delete(id);
    this.#look(id, true);
  }

  deleteState(id: string): void {
    this.#memory.states.delete(id);
    this.#look(id, true);
  }

  /** [L7] Tickets that are there yet, by the id of their client. */
  *leftovers(): Generator<{ what: "lock" | "waiter"; id: string; client: string }> {
    const now = this.#copy.loop.now();
    for (const [id, { since, leaseMs, ticket }] of this.#memory.locks)
      if (since + leaseMs > now) yield { what: "lock", id, client: clientOf(ticket) };
    for (const [id, queue] of this.#memory.queues) {
      for (const { askedAt, ticket } of queue.values()) {
        if (askedAt + this.#limits.askLimitMs > now) yield { what: "waiter", id, client: clientOf(ticket) };
      }
    }
  }

  /** One step: it is done when this returns; the answer is a promise only by its type. */
  #carryOut(backend: MemoryBackend, call: Call): Promise<unknown> {
    const ids = idsOf(call);
    const writer = writerOf(call);
    const may = ids.map(
      (id) => writer !== undefined && this.#ledger.mayWrite(id, writer, this.#hasWaiters(id)),
    );
    if (call.method === "awaitReplicas") return this.#renewFor(backend, call);
    const carryOut = backend[call.method] as (...args: unknown[]) => Promise<unknown>;
    const reply = carryOut.apply(backend, call.args);
    ids.forEach((id, n) => this.#look(id, may[n] === true));
    return reply;
  }

  /** A lock whose replicas are waited for gets its full lease; how many they are, the network says. */
  #renewFor(
    backend: MemoryBackend,
    { args: [kept] }: Extract<Call, { method: "awaitReplicas" }>,
  ): Promise<unknown> {
    if (!("ticket" in kept)) return Promise.resolve("renewed");
    const renewed = backend.renewLocks([kept]).then(([answer]) => answer);
    this.#look(kept.id, false);
    return renewed;
  }

  #look(id: string, may: boolean): void {
    this.#ledger.lock(id, this.#memory.locks.get(id));
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

/** Which rows a step may change. */
function idsOf({ method, args }: Call): readonly string[] {
  if (method === "renewLocks") return args[0].map(({ id }: RenewEntry) => id);
  if (method === "awaitReplicas") return [args[0].id];
  return method === "ready" || method === "listStates" || method === "listLocks" ? [] : [args[0]];
}

function writerOf({ method, args }: Call): Writer | undefined {
  if (method === "writeState") return { ticket: args[2] };
  if (method === "releaseLock") return (args[2] satisfies ReleaseRequest).write && { ticket: args[1] };
  return undefined;
}

export function clientOf(ticket: string): string {
  return ticket.split(":")[2] ?? "";
}
