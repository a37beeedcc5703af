/** Listings and inspection: pages of a SCAN, and a script that describes each key. They change nothing. */
import type {
  ListRequest,
  LockEntry,
  Page,
  SemaphoreEntry,
  StateDescription,
  StateEntry,
  UnreadableState,
} from "../contract.ts";
import type { RedisReply } from "./client/client-port.ts";
import type { Keys } from "./protocol/keys.ts";
import { insteadIfCorrupt, readDescription, readScan } from "./protocol/decode.ts";
import { readDescribed } from "./protocol/envelope.ts";
import { readInspect, readInspectedSemaphore } from "./protocol/decode-holders.ts";
import type { SingleCalls } from "./single-calls.ts";
import { scripts } from "./scripts/generated.ts";

interface PageRequest<Entry> {
  readonly cursor: string | null;
  readonly request: ListRequest;
  readonly describe: (id: string) => Promise<Entry | null>;
}

export class Listing {
  readonly #singleCalls: SingleCalls;
  readonly #keys: Keys;
  readonly #followsSlot: boolean;

  constructor(singleCalls: SingleCalls, keys: Keys, followsSlot: boolean) {
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

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    const describe = (id: string): Promise<LockEntry | null> =>
      this.inspectLock(id).catch(insteadIfCorrupt(null));
    return this.#page("lock", { cursor, request, describe });
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    return this.#page("state", { cursor, request, describe: (id) => this.#describeState(id) });
  }

  describeState(id: string): Promise<StateDescription | UnreadableState | null> {
    const keys = [this.#keys.state(id)];
    const call = { script: scripts.describe, keys, args: [], read: readDescribed, bytes: true, id };
    return this.#singleCalls.run(call);
  }

  #inspect<T>(id: string, read: (reply: RedisReply) => T): Promise<T> {
    const keys = [this.#keys.lock(id), this.#keys.queue(id), this.#keys.sharing(id)];
    return this.#singleCalls.run({ script: scripts.inspect, keys, args: [], read, bytes: true, id });
  }

  #describeState(id: string): Promise<StateEntry | null> {
    const keys = [this.#keys.state(id)];
    const read = (reply: RedisReply): StateEntry | null => readDescription(id, reply);
    return this.#singleCalls.run({ script: scripts.describe, keys, args: [], read, bytes: true, id });
  }

  async #page<Entry>(kind: "state" | "lock", page: PageRequest<Entry>): Promise<Page<Entry>> {
    const { idPrefix, limit } = page.request;
    const match = this.#keys.pattern(kind, idPrefix);
    const args = ["SCAN", page.cursor ?? "0", "MATCH", match, "COUNT", String(limit)];
    const [{ cursor, names }] = await Promise.all([
      this.#singleCalls.command({ args, read: readScan }),
      this.#followsSlot ? this.#ownsSlot() : undefined,
    ]);
    const ids = [...new Set(names.map((name) => this.#keys.idOf(kind, name)))];
    const entries = await Promise.all(ids.map(page.describe));
    const skipped = ids.filter((_, index) => entries[index] === null);
    return { entries: entries.filter((entry) => entry !== null), cursor, skipped };
  }

  /** A node that has lost the slot finds no keys in a SCAN; a command on a key is refused by it, and the page is retried. */
  #ownsSlot(): Promise<unknown> {
    return this.#singleCalls.command({ args: ["EXISTS", ...this.#keys.common], read: () => undefined });
  }
}
