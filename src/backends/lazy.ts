/**
 * A backend that is loaded at its first use: `open()` is synchronous, and importing the library loads no client and
 * no SQLite. It adds nothing else; once loaded it passes every call straight on.
 */
import type {
  AcquireReply,
  AcquireRequest,
  Backend,
  CancelReply,
  Durability,
  Kept,
  ListRequest,
  LoadedState,
  LockEntry,
  Page,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  RenewEntry,
  StateEntry,
  StateWrite,
  Ticket,
  TouchReply,
  Wake,
  WriteReply,
} from "./contract.ts";

/** What is known of a backend before it is loaded. */
export interface LazyKind {
  readonly name: string;
  readonly clientId: string;
  readonly askAgainMs: number;
  /** It can wait for replicas. */
  readonly hasReplicas: boolean;
  readonly load: () => Promise<Backend>;
}

export class LazyBackend implements Backend {
  readonly name: string;
  readonly clientId: string;
  readonly awaitReplicas: Backend["awaitReplicas"];
  readonly #kind: LazyKind;
  #loading: Promise<Backend> | undefined;
  #loaded: Backend | undefined;
  #listener: ((wake: Wake) => void) | undefined;

  constructor(kind: LazyKind) {
    this.name = kind.name;
    this.clientId = kind.clientId;
    this.#kind = kind;
    this.awaitReplicas = kind.hasReplicas ? (...args) => this.#awaitReplicas(...args) : undefined;
  }

  get askAgainMs(): number {
    return this.#loaded?.askAgainMs ?? this.#kind.askAgainMs;
  }

  ready(): Promise<void> {
    return this.#with((backend) => backend.ready());
  }

  connect(): Promise<void> | undefined {
    if (this.#loaded !== undefined) return this.#loaded.connect?.();
    return this.#load().then((backend) => backend.connect?.());
  }

  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState> {
    return this.#with((backend) => backend.loadState(id, options));
  }

  // eslint-disable-next-line max-params -- the contract's
  writeState(id: string, write: StateWrite, ticket: Ticket | null, receipt: Receipt): Promise<WriteReply> {
    return this.#with((backend) => backend.writeState(id, write, ticket, receipt));
  }

  touchState(id: string, ttlMs: number, receipt: Receipt): Promise<TouchReply> {
    return this.#with((backend) => backend.touchState(id, ttlMs, receipt));
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    return this.#with((backend) => backend.listStates(cursor, request));
  }

  // eslint-disable-next-line max-params -- the contract's
  acquireLock(id: string, ticket: Ticket, request: AcquireRequest, receipt: Receipt): Promise<AcquireReply> {
    return this.#with((backend) => backend.acquireLock(id, ticket, request, receipt));
  }

  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    return this.#with((backend) => backend.renewLocks(entries));
  }

  // eslint-disable-next-line max-params -- the contract's
  releaseLock(id: string, ticket: Ticket, request: ReleaseRequest, receipt: Receipt): Promise<ReleaseReply> {
    return this.#with((backend) => backend.releaseLock(id, ticket, request, receipt));
  }

  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    return this.#with((backend) => backend.cancelLock(id, ticket, receipt));
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    return this.#with((backend) => backend.inspectLock(id));
  }

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    return this.#with((backend) => backend.listLocks(cursor, request));
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
    this.#loaded?.onWake(listener);
  }

  async close(): Promise<void> {
    const loaded = this.#loaded ?? (await this.#loading?.catch(() => undefined));
    await loaded?.close();
  }

  #awaitReplicas(kept: Kept, durability: Durability): Promise<number | "gone"> {
    return this.#with((backend) => {
      if (backend.awaitReplicas === undefined) throw new Error("HOLDFAST_NO_REPLICAS");
      return backend.awaitReplicas(kept, durability);
    });
  }

  #with<R>(call: (backend: Backend) => Promise<R>): Promise<R> {
    return this.#loaded === undefined ? this.#load().then(call) : call(this.#loaded);
  }

  /** A load that failed is tried again at the next call: a missing package may be installed, a path made. */
  #load(): Promise<Backend> {
    this.#loading ??= this.#kind.load().then(
      (backend) => {
        if (this.#listener !== undefined) backend.onWake(this.#listener);
        return (this.#loaded = backend);
      },
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }
}
