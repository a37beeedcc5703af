// A hand on the Backend contract for tests: makes the tickets and receipts that the core would make.

import type {
  AcquireReply,
  AcquireRequest,
  Backend,
  CancelReply,
  DeleteWrite,
  LoadedState,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  SaveWrite,
  StateWrite,
  Ticket,
  WriteReply,
} from "../../src/backends/contract.ts";

const keepMs = 60_000;

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function save(value: string, more: Partial<SaveWrite> = {}): SaveWrite {
  return { kind: "save", bytes: text(value), serializer: "json", ttlMs: "none", ...more };
}

export function remove(more: Partial<DeleteWrite> = {}): DeleteWrite {
  return { kind: "delete", ...more };
}

/** What is stored, as text; the whole reply where that is no state. */
export function textOf(state: LoadedState | undefined): unknown {
  return state && "bytes" in state ? new TextDecoder().decode(state.bytes) : state;
}

/** One client of a backend. Every operation takes a slot of its own, unless it is given a receipt. */
export class ContractClient {
  readonly backend: Backend;
  #slots = 0;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  receipt(): Receipt {
    return { slot: this.#slots++, n: 1, keepMs };
  }

  turn(id: string): ContractTurn {
    const receipt = this.receipt();
    const ticket = `host:1:${this.backend.clientId}:${receipt.slot}`;
    return new ContractTurn({ backend: this.backend, id, ticket, receipt });
  }

  async load(id: string): Promise<unknown> {
    return textOf(await this.backend.loadState(id, { expiry: false }));
  }

  async expiry(id: string): Promise<number | null | undefined> {
    const state = await this.backend.loadState(id, { expiry: true });
    return state && "bytes" in state ? state.expiresInMs : undefined;
  }

  write(id: string, write: StateWrite, receipt: Receipt = this.receipt()): Promise<WriteReply> {
    return this.backend.writeState(id, write, null, receipt);
  }

  /** The revision of a write that must succeed. */
  async saved(id: string, write: SaveWrite): Promise<number> {
    const reply = await this.write(id, write);
    if (reply.status !== "saved") throw new Error(`not saved: ${reply.status}`);
    return reply.revision;
  }
}

/** One ticket's way through a lock. */
export class ContractTurn {
  readonly id: string;
  readonly ticket: Ticket;
  readonly receipt: Receipt;
  readonly #backend: Backend;

  constructor(options: { backend: Backend; id: string; ticket: Ticket; receipt: Receipt }) {
    this.#backend = options.backend;
    this.id = options.id;
    this.ticket = options.ticket;
    this.receipt = options.receipt;
  }

  ask(more: Partial<AcquireRequest> = {}): Promise<AcquireReply> {
    const request = { leaseMs: 30_000, queue: true, load: false, fences: 1, ...more };
    return this.#backend.acquireLock(this.id, this.ticket, request, this.receipt);
  }

  /** The fence of an ask that must be granted. */
  async granted(more: Partial<AcquireRequest> = {}): Promise<number> {
    const reply = await this.ask(more);
    if (reply.status !== "granted") throw new Error(`not granted: ${reply.status}`);
    return reply.fence;
  }

  async renew(leaseMs = 30_000): Promise<"renewed" | "lost" | undefined> {
    return (await this.#backend.renewLocks([{ id: this.id, ticket: this.ticket, leaseMs }]))[0];
  }

  write(write: StateWrite, receipt: Receipt): Promise<WriteReply> {
    return this.#backend.writeState(this.id, write, this.ticket, receipt);
  }

  release(request: ReleaseRequest = {}, receipt: Receipt = this.receipt): Promise<ReleaseReply> {
    return this.#backend.releaseLock(this.id, this.ticket, request, receipt);
  }

  cancel(receipt: Receipt = this.receipt): Promise<CancelReply> {
    return this.#backend.cancelLock(this.id, this.ticket, receipt);
  }
}
