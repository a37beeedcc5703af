/** A shard, as the move of a store sees it: its mark, its entries and its states, each call with its retries. */
import type {
  Backend,
  LoadedState,
  LockEntry,
  ListRequest,
  Page,
  StateEntry,
  StateWrite,
  StoredState,
  WriteReply,
} from "../backends/contract.ts";
import { markId, markWrite, readMark, type ShardMark } from "../backends/shard-mark.ts";
import { BackendCalls } from "../calls/backend-calls.ts";
import { CorruptStateError, InvalidArgumentError, LockTimeoutError, quoted } from "../errors.ts";

/** How many entries are listed at a time. */
const pageSize = 200;

export class Part {
  /** For messages and marks: where it is. */
  readonly label: string;
  readonly #calls: BackendCalls;

  constructor(label: string, backend: Backend, operationMs: number) {
    this.label = label;
    this.#calls = new BackendCalls(backend, operationMs);
  }

  get #backend(): Backend {
    return this.#calls.backend;
  }

  async mark(): Promise<ShardMark | null> {
    return readMark(this.label, await this.#load(markId));
  }

  /** Returns a stamp that is greater than every earlier one of this shard, and than `above`. */
  async setMark(mark: ShardMark, above = 0): Promise<number> {
    const reply = await this.#write(markId, markWrite(mark, { above }));
    if (reply.status === "saved") return reply.revision;
    throw this.#refused(markId, reply);
  }

  async deleteMark(): Promise<void> {
    const reply = await this.#write(markId, { kind: "delete" });
    if (reply.status !== "deleted") throw this.#refused(markId, reply);
  }

  /** All states, page by page; the mark is not among them. */
  async *states(): AsyncGenerator<readonly StateEntry[]> {
    yield* this.#pages((cursor, request) => this.#backend.listStates(cursor, request));
  }

  /** A lock that is held. */
  async heldLock(): Promise<LockEntry | undefined> {
    for await (const [lock] of this.#pages((cursor, request) => this.#backend.listLocks(cursor, request)))
      if (lock !== undefined) return lock;
    return undefined;
  }

  async isEmpty(): Promise<boolean> {
    for await (const states of this.states()) if (states.length > 0) return false;
    return (await this.heldLock()) === undefined;
  }

  /** `null`: it has expired. */
  async load(id: string): Promise<StoredState | null> {
    const state = await this.#load(id);
    if (state === null || "bytes" in state) return state;
    throw new CorruptStateError(`${this.label}: the state ${quoted(id)} is ${state.unreadable}`);
  }

  /** As it was at its old place, with the rest of its time to live. */
  async save(id: string, { bytes, serializer, expiresInMs }: StoredState): Promise<void> {
    const ttlMs = typeof expiresInMs === "number" ? Math.max(Math.ceil(expiresInMs), 1) : "none";
    const reply = await this.#write(id, { kind: "save", bytes, serializer, ttlMs });
    if (reply.status !== "saved") throw this.#refused(id, reply);
  }

  /** It must still be what was loaded, or have expired. */
  async delete(id: string, { revision }: StoredState): Promise<void> {
    const reply = await this.#write(id, { kind: "delete", ifRevision: revision });
    if (reply.status === "deleted" || (reply.status === "conflict" && reply.revision === null)) return;
    throw this.#refused(id, reply);
  }

  async close(): Promise<void> {
    this.#calls.close();
    await this.#backend.close();
  }

  #load(id: string): Promise<LoadedState> {
    const what = { doing: "Loading the state", id };
    return this.#calls.read(what, () => this.#backend.loadState(id, { expiry: true }));
  }

  async #write(id: string, write: StateWrite): Promise<WriteReply> {
    const operation = { doing: "Moving the state", id };
    const { reply } = await this.#calls.exactlyOnce<WriteReply>(operation, (receipt) =>
      this.#backend.writeState(id, write, null, receipt),
    );
    return reply;
  }

  async *#pages<Entry extends { readonly id: string }>(
    list: (cursor: string | null, request: ListRequest) => Promise<Page<Entry>>,
  ): AsyncGenerator<readonly Entry[]> {
    let cursor: string | null = null;
    do {
      const from: string | null = cursor;
      const page: Page<Entry> = await this.#calls.read(`Listing ${this.label}`, () =>
        list(from, { idPrefix: "", limit: pageSize }),
      );
      yield page.entries.filter(({ id }) => id !== markId);
      ({ cursor } = page);
    } while (cursor !== null);
  }

  #refused(id: string, { status }: WriteReply): Error {
    const what = `${this.label}: the state ${quoted(id)}`;
    const advice = "Close the store in every process, then run this again.";
    if (status === "busy") return new LockTimeoutError(`${what} is locked. ${advice}`);
    return new InvalidArgumentError(`${what} was changed while it was moved (${status}). ${advice}`);
  }
}
