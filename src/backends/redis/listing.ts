/**
 * Listings and inspection: the names of a page, by SCAN or from the index, and then a script that describes all of them.
 * They change nothing, but for entries of the index whose states have gone.
 */
import type {
  ListRequest,
  LockEntry,
  Page,
  SemaphoreEntry,
  StateCount,
  StateDescription,
  StateEntry,
  UnreadableState,
} from "../contract.ts";
import type { RedisReply } from "./client/client-port.ts";
import { hasNoOrder } from "./client/index-mismatch.ts";
import type { Keys } from "./protocol/keys.ts";
import { insteadIfCorrupt, readDescriptions, readScan } from "./protocol/decode.ts";
import { readDescribed } from "./protocol/envelope.ts";
import { readInspect, readInspectedSemaphore } from "./protocol/decode-holders.ts";
import { countCommands, rangeCommand } from "./indexing/ranges.ts";
import { integer, list, text } from "./protocol/reply-values.ts";
import type { SingleCalls } from "./single-calls.ts";
import { scripts } from "./scripts/generated.ts";

/** A script stops to read values when they are this large together. */
const pageBytes = 4 * 1024 * 1024;
/** So many keys a SCAN walks through at least, even if fewer entries are wanted: they may all be of others. */
const leastScan = 500;

type Described = readonly (StateEntry | null)[];

export interface ListingOptions {
  readonly name: string;
  readonly singleCalls: SingleCalls;
  readonly keys: Keys;
  readonly followsSlot: boolean;
}

export class Listing {
  readonly #name: string;
  readonly #singleCalls: SingleCalls;
  readonly #keys: Keys;
  readonly #followsSlot: boolean;

  constructor({ name, singleCalls, keys, followsSlot }: ListingOptions) {
    this.#name = name;
    this.#singleCalls = singleCalls;
    this.#keys = keys;
    this.#followsSlot = followsSlot;
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    return this.#inspect(id, (reply) => readInspect(id, reply));
  }

  inspectSemaphore(id: string): Promise<SemaphoreEntry | null> {
    return this.#inspect(id, (reply) => readInspectedSemaphore(id, reply));
  }

  async listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    const { ids, next } = await this.#scan("lock", cursor, request);
    const describe = (id: string): Promise<LockEntry | null> =>
      this.inspectLock(id).catch(insteadIfCorrupt(null));
    return pageOf(ids, await Promise.all(ids.map(describe)), next);
  }

  async listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    if (this.#keys.isIndexed) return this.#indexed(cursor, request);
    if (request.order !== undefined) throw hasNoOrder(this.#name);
    const { ids, next } = await this.#scan("state", cursor, request);
    const described: (StateEntry | null)[] = [];
    while (described.length < ids.length)
      described.push(...(await this.#describe(ids.slice(described.length), request)));
    return pageOf(ids, described, next);
  }

  /** Entries of states that have expired are counted until a listing meets them. */
  async countStates(idPrefix: string): Promise<StateCount | null> {
    if (!this.#keys.isIndexed) return null;
    const counts = countCommands(this.#keys.index, idPrefix).map((args) =>
      this.#singleCalls.command({ args, read: integer }),
    );
    const count = (await Promise.all(counts)).reduce((sum, part) => sum + part, 0);
    return { count, exact: false };
  }

  describeState(id: string): Promise<StateDescription | UnreadableState | null> {
    const { index, state } = this.#keys;
    return this.#singleCalls.run({
      script: scripts.describe,
      keys: [index, state(id)],
      args: ["1", "", "0"],
      read: (reply) => readDescribed(list(reply)[0] ?? null),
      bytes: true,
      id,
    });
  }

  #inspect<T>(id: string, read: (reply: RedisReply) => T): Promise<T> {
    const keys = [this.#keys.lock(id), this.#keys.queue(id), this.#keys.sharing(id)];
    return this.#singleCalls.run({ script: scripts.inspect, keys, args: [], read, bytes: true, id });
  }

  async #indexed(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    const args = rangeCommand(this.#keys.index, cursor, request);
    const ids = await this.#singleCalls.command({ args, read: (reply) => list(reply).map(text) });
    if (ids.length === 0) return { entries: [], cursor: null };
    const described = await this.#describe(ids, request);
    const isLast = ids.length < request.limit && described.length === ids.length;
    const seen = ids.slice(0, described.length);
    return pageOf(seen, described, isLast ? null : (seen.at(-1) ?? null));
  }

  /** Of the first ids: at least one. */
  #describe(ids: readonly string[], { values = false }: ListRequest): Promise<Described> {
    if (ids.length === 0) return Promise.resolve([]);
    const { index, state } = this.#keys;
    return this.#singleCalls.run({
      script: scripts.describe,
      keys: [index, ...ids.map(state)],
      args: [String(ids.length), values ? "1" : "", String(pageBytes)],
      read: (reply) => readDescriptions(ids, reply, values),
      bytes: true,
    });
  }

  async #scan(
    kind: "state" | "lock",
    cursor: string | null,
    { idPrefix, limit }: ListRequest,
  ): Promise<{ readonly ids: readonly string[]; readonly next: string | null }> {
    const match = this.#keys.pattern(kind, idPrefix);
    const args = ["SCAN", cursor ?? "0", "MATCH", match, "COUNT", String(Math.max(limit, leastScan))];
    const [scanned] = await Promise.all([
      this.#singleCalls.command({ args, read: readScan }),
      this.#followsSlot ? this.#ownsSlot() : undefined,
    ]);
    const ids = [...new Set(scanned.names.map((name) => this.#keys.idOf(kind, name)))];
    return { ids, next: scanned.cursor };
  }

  /** A node that has lost the slot finds no keys in a SCAN; a command on a key is refused by it, and the page is retried. */
  #ownsSlot(): Promise<unknown> {
    return this.#singleCalls.command({ args: ["EXISTS", ...this.#keys.common], read: () => undefined });
  }
}

function pageOf<Entry>(
  ids: readonly string[],
  described: readonly (Entry | null)[],
  cursor: string | null,
): Page<Entry> {
  const skipped = ids.filter((_, index) => described[index] === null);
  return { entries: described.filter((entry) => entry !== null), cursor, skipped };
}
