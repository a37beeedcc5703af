/**
 * A function that changes several states at once, under the locks of all of them [S9].
 *
 * It gets a draft of each state. What it has made of them is committed in one step, if what was loaded is still stored:
 * a state may have expired, or another program may have changed it. Then all are loaded again, and the function is
 * called again.
 */
import type { Durability, StoredState, Ttl } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { fromCaller } from "../caller-stacks.ts";
import type { UpdateTrace } from "../diagnostics/traces.ts";
import { ConflictError, quoted, SerializationError } from "../errors.ts";
import { isNewTtl } from "../life-options.ts";
import type { WhenNew } from "../options.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { HeldSet } from "../ownership/grant-set.ts";
import { runHoldingAll } from "../ownership/held-grants.ts";
import { equalBytes, type Codec } from "./codec.ts";
import { commitUnderGrants, type StateChange } from "./commit-under-grants.ts";
import { expiryOf } from "./merged-ttl.ts";
import { traceSave, type WrittenTogether } from "./trace-save.ts";

/** The most times that the function is called. The locks make repetitions rare. */
const maxTries = 16;

/** One of the states. */
export interface Participant {
  readonly id: string;
  readonly codec: Codec;
  readonly initial: (() => unknown) | undefined;
  /** The time to live of its handle. */
  readonly ttlMs: number | WhenNew | undefined;
}

export interface TransactionOptions {
  readonly calls: BackendCalls;
  /** Of this store, in the caller's order. */
  readonly states: readonly Participant[];
  readonly store: object;
  /** How many bytes all states together may have. */
  readonly maxBytes: number;
  readonly durability: Durability | undefined;
  /** What is traced of its call. */
  readonly trace: UpdateTrace | undefined;
}

/** What the function may do besides changing the drafts. */
export interface TransactionContext {
  readonly set: HeldSet;
  /** Deletes the state with this id. */
  readonly remove: (id: string) => void;
  /** Gives the state with this id another life. */
  readonly setTtl: (id: string, life: Ttl) => void;
}

type Fn = (drafts: unknown[], context: TransactionContext) => unknown;

/** What the function decided besides the drafts. */
interface Decided {
  readonly removed: Set<string>;
  readonly lives: Map<string, Ttl>;
}

/** What is known about a state, and what the function got of it. */
interface Loaded {
  readonly grant: HeldGrant;
  readonly stored: StoredState | null;
  /** What the draft was made from; `undefined`: there was nothing. */
  readonly before: Uint8Array | undefined;
  /** Whether it may stay as it is stored: not if it must be stored again. */
  readonly isCurrent: boolean;
}

/** The change of one state, and the size of its new value. */
interface SizedChange extends StateChange {
  readonly bytes: number;
}

type Drafted = Omit<Loaded, "grant"> & { readonly draft: unknown; readonly life: Ttl | undefined };

export class Transaction {
  readonly #of: TransactionOptions;
  readonly #set: HeldSet;
  /** Of each state, in the caller's order. */
  readonly #grants: readonly HeldGrant[];

  /** `set`: a grant of each state. */
  constructor(of: TransactionOptions, set: HeldSet) {
    this.#of = of;
    this.#set = set;
    this.#grants = of.states.map(({ id }) => {
      const grant = set.grants.find((one) => one.id === id);
      if (grant === undefined) throw new Error(`HOLDFAST_NO_GRANT: ${id}`);
      return grant;
    });
  }

  /** Returns what the function returned, once everything is saved. */
  async run(fn: Fn): Promise<unknown> {
    for (let tries = 0; tries < maxTries; tries++) {
      const loaded = await this.#load(tries === 0);
      this.#checkHeld(); // the locks may have been lost while the commit before or the load was under way
      // Sealed: a function that takes drafts out of the array would move the others to states that are not theirs.
      const drafts = Object.seal(
        loaded.map(({ before }, index) => before && this.#state(index).codec.decode(before)),
      );
      const decided: Decided = { removed: new Set(), lives: new Map() };
      const result = await this.#call(fn, drafts, decided);
      if (await this.#commit(this.#changes(loaded, drafts, decided))) return result;
    }
    throw tooManyConflicts(this.#of.states);
  }

  describe(): WrittenTogether {
    return { ids: this.#set.ids, changes: [this.#of] };
  }

  /** Whatever it throws is the caller's own. */
  async #call(fn: Fn, drafts: unknown[], { removed, lives }: Decided): Promise<unknown> {
    const { store } = this.#of;
    const context: TransactionContext = {
      set: this.#set,
      remove: (id) => void removed.add(id),
      setTtl: (id, life) => void lives.set(id, life),
    };
    try {
      return await runHoldingAll({ store, draft: true }, this.#grants, () => fn(drafts, context));
    } catch (error) {
      throw fromCaller(error);
    }
  }

  /**
   * Returns false if a state is not what the function was given any more. Also if nothing is to be written: a lock may have
   * been lost unnoticed, and then its result is of states that were never stored together.
   */
  async #commit(changes: readonly StateChange[]): Promise<boolean> {
    const { calls, durability } = this.#of;
    this.#checkHeld();
    const commit = () => commitUnderGrants(calls, changes, durability);
    const writes = changes.flatMap(({ write }) => (write === undefined ? [] : [write]));
    const reply = await (writes.length === 0 ? commit() : traceSave(this, writes, commit));
    if (reply.status === "unreadable") throw this.#state(reply.index).codec.corrupt(reply.unreadable);
    return reply.status === "committed";
  }

  #checkHeld(): void {
    const lost = this.#set.lossError;
    if (lost !== undefined) throw lost;
  }

  /** In one round trip at most. `known`: whether what came with the grants may be used. */
  #load(known: boolean): Promise<Loaded[]> {
    return Promise.all(
      this.#grants.map(async (grant, index) => {
        const { codec, initial } = this.#state(index);
        const stored = codec.readable(await this.#loadOne(grant, known));
        const opened = stored === null ? undefined : codec.open(stored);
        const before = opened?.bytes ?? (initial === undefined ? undefined : codec.encode(initial()));
        return { grant, stored, before, isCurrent: opened?.isCurrent ?? true };
      }),
    );
  }

  #loadOne({ id, hold }: HeldGrant, mayBeKnown: boolean) {
    const { calls } = this.#of;
    const known = hold.takeKnownState();
    if (known !== undefined && mayBeKnown) return known.loaded;
    const { backend } = calls;
    return calls.read({ doing: "Loading the state", id }, () => backend.loadState(id, { expiry: false }));
  }

  /** Checks everything that can be checked before it is sent. */
  #changes(
    loaded: readonly Loaded[],
    drafts: readonly unknown[],
    { removed, lives }: Decided,
  ): StateChange[] {
    const changes = loaded.map(({ grant, stored, ...from }, index): SizedChange => {
      const draft = removed.has(grant.id) ? undefined : drafts[index];
      const life = lives.get(grant.id);
      return { grant, stored, ...this.#write(index, { stored, ...from, draft, life }) };
    });
    this.#checkSize(changes);
    return changes;
  }

  /** No write: the draft was not changed, and keeps its life. */
  #write(
    index: number,
    { stored, before, isCurrent, draft, life }: Drafted,
  ): Pick<SizedChange, "write" | "bytes"> {
    const { codec, ttlMs } = this.#state(index);
    if (draft === undefined) return { write: stored === null ? undefined : { kind: "delete" }, bytes: 0 };
    const bytes = codec.encode(draft);
    const isUnchanged = before !== undefined && equalBytes(bytes, before);
    // An unchanged value that is only stored again keeps its expiry, unless another was chosen.
    const expiry = isUnchanged ? (isNewTtl(life) ? life : "keep") : expiryOf(life, ttlMs);
    if (!isUnchanged || !isCurrent) return { write: codec.toSave(bytes, expiry), bytes: bytes.byteLength };
    const touches = stored !== null && isNewTtl(life);
    return { write: touches ? { kind: "touch", ttlMs: life } : undefined, bytes: 0 };
  }

  #checkSize(changes: readonly SizedChange[]): void {
    const { maxBytes } = this.#of;
    const bytes = changes.reduce((sum, change) => sum + change.bytes, 0);
    if (bytes <= maxBytes) return;
    throw new SerializationError(
      `The new values of the states ${titles(this.#of.states)} take ${bytes} bytes together, more than maxStateBytes ` +
        `(${maxBytes}). Change fewer of them at once, or raise maxStateBytes.`,
    );
  }

  #state(index: number): Participant {
    const state = this.#of.states[index];
    if (state === undefined) throw new Error(`HOLDFAST_NO_STATE: ${index}`);
    return state;
  }
}

function titles(states: readonly Participant[]): string {
  return states.map(({ id }) => quoted(id)).join(", ");
}

function tooManyConflicts(states: readonly Participant[]): ConflictError {
  return new ConflictError(
    `One of the states ${titles(states)} changed each of the ${maxTries} times that transact() called its function: ` +
      `something writes to it without the lock, or its ttlMs is shorter than the function takes.`,
  );
}
