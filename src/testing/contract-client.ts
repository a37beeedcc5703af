/**
 * A client of the contract, for tests: it makes the tickets and receipts that the core would make, and nothing else, so
 * that a test can check every reply of a backend. The suites and the tests of each backend use it.
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
  LockEntry,
  Page,
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

/** The stored value as text; the reply itself if it is not a readable state. */
export function textOf(state: LoadedState | undefined): unknown {
  return state && "bytes" in state ? new TextDecoder().decode(state.bytes) : state;
}

export function save(text: string, more: Partial<SaveWrite> = {}): SaveWrite {
  return { kind: "save", bytes: bytesOf(text), serializer: "json", ttlMs: "none", ...more };
}

export function remove(more: Partial<DeleteWrite> = {}): DeleteWrite {
  return { kind: "delete", ...more };
}

/** One client of a backend. Every operation takes a sequence of its own unless it is given a receipt. */
export class ContractClient {
  readonly backend: Backend;
  #sequences = 0;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  receipt(): Receipt {
    return { sequence: this.#sequences++, n: 1, keepMs };
  }

  /** The lock as it stands in a listing, all pages of it. */
  async listed(id: string): Promise<LockEntry | undefined> {
    let cursor: string | null = null;
    do {
      const page: Page<LockEntry> = await this.backend.listLocks(cursor, { idPrefix: id, limit: 10 });
      const entry = page.entries.find((each) => each.id === id);
      if (entry !== undefined) return entry;
      cursor = page.cursor;
    } while (cursor !== null);
    return undefined;
  }

  /** A new ticket for this lock. */
  ticketFor(id: string): ContractTicket {
    const receipt = this.receipt();
    const ticket = `host:1:${this.backend.clientId}:${receipt.sequence}`;
    return new ContractTicket(this.backend, { id, ticket, receipt });
  }

  async load(id: string): Promise<unknown> {
    return textOf(await this.backend.loadState(id, { expiry: false }));
  }

  async stored(id: string): Promise<StoredState> {
    const state = await this.backend.loadState(id, { expiry: true });
    assert.ok(state !== null && "bytes" in state, "a stored state");
    return state;
  }

  /** Remaining time to live in milliseconds, `null` if the state never expires; `undefined` if it cannot be read. */
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
    assert.equal(reply.status, "saved", `not saved: ${JSON.stringify(reply)}`);
    return reply.revision;
  }
}

/** A client that collects its wakes. */
export class ListeningClient extends ContractClient {
  readonly wakes: Wake[] = [];

  constructor(backend: Backend) {
    super(backend);
    backend.onWake((wake) => this.wakes.push(wake));
  }
}

/** The operations of one ticket on a lock. */
export class ContractTicket {
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

  /** The receipt of its release or cancel. */
  get receipt(): Receipt {
    return this.#receipt;
  }

  /** To call after a "kept" or a refusal: the next release is a different operation. */
  nextReceipt(): Receipt {
    this.#receipt = { ...this.#receipt, n: this.#receipt.n + 1 };
    return this.#receipt;
  }

  ask(more: Partial<AcquireRequest> = {}, receipt: Receipt = this.#receipt): Promise<AcquireReply> {
    const request = { leaseMs: 30_000, queue: true, load: false, fences: 1, ...more };
    return this.#backend.acquireLock(this.id, this.ticket, request, receipt);
  }

  /** The reply to an ask that must be granted. */
  async grantReply(more: Partial<AcquireRequest> = {}): Promise<Granted> {
    const reply = await this.ask(more);
    assert.equal(reply.status, "granted", `not granted: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** The fence of an ask that must be granted. */
  async granted(more: Partial<AcquireRequest> = {}): Promise<number> {
    return (await this.grantReply(more)).fence;
  }

  /** An ask that must be queued. Returns the number of tickets before it. */
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

  release(request: ReleaseRequest = {}, receipt: Receipt = this.#receipt): Promise<ReleaseReply> {
    return this.#backend.releaseLock(this.id, this.ticket, request, receipt);
  }

  /** A release that must succeed. */
  async released(request: ReleaseRequest = {}): Promise<void> {
    const reply = await this.release(request);
    assert.equal(reply.status, "released", `not released: ${JSON.stringify(reply)}`);
  }

  cancel(receipt: Receipt = this.#receipt): Promise<CancelReply> {
    return this.#backend.cancelLock(this.id, this.ticket, receipt);
  }
}
