/**
 * A place that states are copied from or to, as the move of a store and the commands that copy see it: its entries, its
 * states as bytes and, if it is a shard, its mark. Each call has its retries. It may also be a store of several shards.
 */
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
import { CorruptStateError, InvalidArgumentError, LockTimeoutError, quoted, shownId } from "../errors.ts";

/** How many entries are listed at a time. */
const pageSize = 200;

/** One page of a listing. */
export interface Listed<Entry> {
  readonly entries: readonly Entry[];
  /** Ids of states that could not be described: unreadable, or gone by now. */
  readonly skipped: readonly string[];
}

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

  /** Connects, and checks permissions. Without retries, so that a wrong name is noticed at once. */
  async ready(): Promise<void> {
    const { keepAlive } = this.#calls;
    keepAlive.ref(); // [P1]
    try {
      await this.#backend.ready();
    } finally {
      keepAlive.unref();
    }
  }

  /** Which shard has an id, if the place is a store of several. */
  shardOf(id: string): number {
    return this.#backend.shardOf?.(id) ?? 0;
  }

  async mark(): Promise<ShardMark | null> {
    return readMark(this.label, await this.look(markId));
  }

  /** Returns a stamp that is greater than every earlier one of this shard, and than `above`. */
  async setMark(mark: ShardMark, above = 0): Promise<number> {
    const reply = await this.write(markId, markWrite(mark, { above }));
    if (reply.status === "saved") return reply.revision;
    throw this.#refused(markId, reply);
  }

  async deleteMark(): Promise<void> {
    const reply = await this.write(markId, { kind: "delete" });
    if (reply.status !== "deleted") throw this.#refused(markId, reply);
  }

  /** All states, page by page; the mark is not among them. */
  async *states(): AsyncGenerator<readonly StateEntry[]> {
    for await (const { entries } of this.statePages("")) yield entries;
  }

  /** The same, of ids that begin with `idPrefix`, with the ids that the listing skips. */
  statePages(idPrefix: string): AsyncGenerator<Listed<StateEntry>> {
    return this.#pages(idPrefix, (cursor, request) => this.#backend.listStates(cursor, request));
  }

  /** A lock that is held. */
  async heldLock(): Promise<LockEntry | undefined> {
    const pages = this.#pages("", (cursor, request) => this.#backend.listLocks(cursor, request));
    for await (const { entries } of pages) if (entries[0] !== undefined) return entries[0];
    return undefined;
  }

  async isEmpty(): Promise<boolean> {
    for await (const states of this.states()) if (states.length > 0) return false;
    return (await this.heldLock()) === undefined;
  }

  /** `null`: it has expired. */
  async load(id: string): Promise<StoredState | null> {
    const state = await this.look(id);
    if (state === null || "bytes" in state) return state;
    throw new CorruptStateError(`${this.label}: the state ${quoted(id)} is ${state.unreadable}`, {
      id: shownId(id),
    });
  }

  /** As it was at its old place, with the rest of its time to live. */
  async save(id: string, { bytes, serializer, expiresInMs }: StoredState): Promise<void> {
    const ttlMs = typeof expiresInMs === "number" ? Math.max(Math.ceil(expiresInMs), 1) : "none";
    const reply = await this.write(id, { kind: "save", bytes, serializer, ttlMs });
    if (reply.status !== "saved") throw this.#refused(id, reply);
  }

  /** It must still be what was loaded, or have expired. */
  async delete(id: string, { revision }: StoredState): Promise<void> {
    const reply = await this.write(id, { kind: "delete", ifRevision: revision });
    if (reply.status === "deleted" || (reply.status === "conflict" && reply.revision === null)) return;
    throw this.#refused(id, reply);
  }

  async close(): Promise<void> {
    this.#calls.close();
    await this.#backend.close();
  }

  /** What is stored under the id, readable or not. */
  look(id: string): Promise<LoadedState> {
    const what = { doing: "Loading the state", id };
    return this.#calls.read(what, () => this.#backend.loadState(id, { expiry: true }));
  }

  /** One write, which takes effect once. */
  async write(id: string, write: StateWrite): Promise<WriteReply> {
    const operation = { doing: "Writing the state", id };
    const { reply } = await this.#calls.exactlyOnce<WriteReply>(operation, (receipt) =>
      this.#backend.writeState(id, write, null, receipt),
    );
    return reply;
  }

  async *#pages<Entry extends { readonly id: string }>(
    idPrefix: string,
    list: (cursor: string | null, request: ListRequest) => Promise<Page<Entry>>,
  ): AsyncGenerator<Listed<Entry>> {
    let cursor: string | null = null;
    do {
      const from: string | null = cursor;
      const page: Page<Entry> = await this.#calls.read(`Listing ${this.label}`, () =>
        list(from, { idPrefix, limit: pageSize }),
      );
      yield { entries: page.entries.filter(({ id }) => id !== markId), skipped: page.skipped ?? [] };
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
