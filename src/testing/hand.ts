/**
 * A hand on the contract: makes the tickets and receipts that the core would make, and nothing else, so that a case
 * can look at every reply of a backend.
 */
import { strict as assert } from "node:assert";
import type {
  AcquireReply,
  AcquireRequest,
  Backend,
  CancelReply,
  DeleteWrite,
  Granted,
  LoadedState,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  SaveWrite,
  StateWrite,
  StoredState,
  Ticket,
  Wake,
  WriteReply,
} from "../backends/contract.ts";

const keepMs = 60_000;

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(state: LoadedState | undefined): string | null {
  if (state === null || state === undefined) return null;
  assert.ok("bytes" in state, "a state that can be read");
  return new TextDecoder().decode(state.bytes);
}

export function saving(text: string, more: Partial<SaveWrite> = {}): SaveWrite {
  return { kind: "save", bytes: bytesOf(text), serializer: "json", ttlMs: "none", ...more };
}

export function deleting(more: Partial<DeleteWrite> = {}): DeleteWrite {
  return { kind: "delete", ...more };
}

/** One client of a backend. Every operation takes a slot of its own unless it is given a receipt. */
export class Hand {
  readonly backend: Backend;
  readonly wakes: Wake[] = [];
  #slots = 0;

  constructor(backend: Backend) {
    this.backend = backend;
    backend.onWake((wake) => this.wakes.push(wake));
  }

  receipt(): Receipt {
    return { slot: this.#slots++, n: 1, keepMs };
  }

  /** A new ticket for this lock. */
  hold(id: string): Hold {
    const receipt = this.receipt();
    return new Hold(this.backend, { id, ticket: `host:1:${this.backend.clientId}:${receipt.slot}`, receipt });
  }

  async load(id: string): Promise<string | null> {
    return textOf(await this.backend.loadState(id, { expiry: false }));
  }

  async stored(id: string): Promise<StoredState> {
    const state = await this.backend.loadState(id, { expiry: true });
    assert.ok(state !== null && "bytes" in state, "a stored state");
    return state;
  }

  write(id: string, write: StateWrite, receipt: Receipt = this.receipt()): Promise<WriteReply> {
    return this.backend.writeState(id, write, null, receipt);
  }

  /** The revision of a write that must succeed. */
  async saved(id: string, write: SaveWrite): Promise<number> {
    const reply = await this.write(id, write);
    assert.equal(reply.status, "saved");
    return reply.revision;
  }
}

/** One ticket's way through a lock. */
export class Hold {
  readonly id: string;
  readonly ticket: Ticket;
  readonly #backend: Backend;
  #receipt: Receipt;

  constructor(backend: Backend, what: { id: string; ticket: Ticket; receipt: Receipt }) {
    this.#backend = backend;
    this.id = what.id;
    this.ticket = what.ticket;
    this.#receipt = what.receipt;
  }

  /** What its release or cancel carries. */
  get receipt(): Receipt {
    return this.#receipt;
  }

  /** After a "kept" or a refusal: the next release is another operation. */
  nextReceipt(): Receipt {
    this.#receipt = { ...this.#receipt, n: this.#receipt.n + 1 };
    return this.#receipt;
  }

  ask(more: Partial<AcquireRequest> = {}): Promise<AcquireReply> {
    const request = { leaseMs: 30_000, queue: true, load: false, fences: 1, ...more };
    return this.#backend.acquireLock(this.id, this.ticket, request, this.#receipt);
  }

  /** An ask that must be granted. */
  async granted(more: Partial<AcquireRequest> = {}): Promise<Granted> {
    const reply = await this.ask(more);
    assert.equal(reply.status, "granted", `not granted: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** An ask that must be queued; answers how many stand before it. */
  async queued(more: Partial<AcquireRequest> = {}): Promise<number> {
    const reply = await this.ask(more);
    assert.equal(reply.status, "waiting", `not waiting: ${JSON.stringify(reply)}`);
    return reply.ahead;
  }

  async renew(leaseMs = 30_000): Promise<"renewed" | "lost" | undefined> {
    return (await this.#backend.renewLocks([{ id: this.id, ticket: this.ticket, leaseMs }]))[0];
  }

  write(write: StateWrite, receipt: Receipt): Promise<WriteReply> {
    return this.#backend.writeState(this.id, write, this.ticket, receipt);
  }

  release(request: ReleaseRequest = {}): Promise<ReleaseReply> {
    return this.#backend.releaseLock(this.id, this.ticket, request, this.#receipt);
  }

  /** A release that must succeed. */
  async released(request: ReleaseRequest = {}): Promise<void> {
    const reply = await this.release(request);
    assert.equal(reply.status, "released", `not released: ${JSON.stringify(reply)}`);
  }

  cancel(): Promise<CancelReply> {
    return this.#backend.cancelLock(this.id, this.ticket, this.#receipt);
  }
}
