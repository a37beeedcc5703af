/**
 * One shard of a store: a backend whose mark is checked before its first call.
 *
 * A store that is opened with another number of shards, or in another order, would not find its own data, and two
 * clients would have the same lock on two servers. So each shard has a mark that says which one it is. The first client
 * writes it, and all later ones compare it [S1] [L1]. Where there is no mark but there are states or locks that belong on
 * other shards, a store was in use without shards. A server that came back empty gets its mark again from the next
 * client.
 */
import { InvalidArgumentError, quoted, UnavailableError } from "../../errors.ts";
import type { Backend, ListRequest, Page, Receipt, Wake } from "../contract.ts";
import { callOf, ForwardingBackend, type BackendMethod } from "../forward.ts";
import {
  howToChange,
  isPlace,
  markId,
  markWrite,
  readMark,
  type Place,
  type ShardMark,
} from "../shard-mark.ts";
import { shardOf } from "../shard-of.ts";

/** Before every receipt of the core, whose sequences begin with 1. */
const markReceipt: Receipt = { sequence: 0, n: 0, keepMs: 60_000 };
/** With this many that belong here, the others do too: in a store without shards, every second one would not. */
const enoughEntries = 1_000;

export class Shard extends ForwardingBackend {
  readonly #inner: Backend;
  readonly #place: Place;
  #isChecked = false;
  #checking: Promise<void> | undefined;

  constructor(inner: Backend, place: Place) {
    super();
    this.#inner = inner;
    this.#place = place;
  }

  get name(): string {
    return this.#inner.name;
  }

  get clientId(): string {
    return this.#inner.clientId;
  }

  get askAgainMs(): number {
    return this.#inner.askAgainMs;
  }

  get pushes(): boolean {
    return this.#inner.pushes;
  }

  readonly connect = (id?: string): Promise<void> | undefined =>
    this.#isChecked ? this.#inner.connect?.(id) : this.#check();

  get awaitReplicas(): Backend["awaitReplicas"] {
    if (this.#inner.awaitReplicas === undefined) return undefined;
    return (...args) => this.forward("awaitReplicas", args);
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#inner.onWake(listener);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  protected forward(method: BackendMethod, args: readonly unknown[]): Promise<never> {
    if (this.#isChecked) return callOf(this.#inner, method, args);
    return this.#check().then(() => callOf(this.#inner, method, args));
  }

  #check(): Promise<void> {
    return (this.#checking ??= this.#compare().finally(() => (this.#checking = undefined)));
  }

  async #compare(): Promise<void> {
    const mark = (await this.#mark()) ?? (await this.#writeMark());
    const { name, shard, of } = { name: this.name, ...this.#place };
    if (!isPlace(mark)) {
      throw new InvalidArgumentError(
        `${name} belongs to a store whose states are being moved from ${mark.from.join(", ")} to ${mark.to.join(", ")}. ` +
          `If that was interrupted, run the same "npx holdfast reshard" again.`,
      );
    }
    if (mark.shard !== shard || mark.of !== of) {
      throw new InvalidArgumentError(
        `${name} is shard ${mark.shard} of ${mark.of}, but this store was opened with it as shard ${shard} of ${of}. ` +
          `Open it with the same number of shards and in the same order as before. ${howToChange}.`,
      );
    }
    this.#isChecked = true;
  }

  async #mark(): Promise<ShardMark | null> {
    return readMark(this.name, await this.#inner.loadState(markId, { expiry: false }));
  }

  async #writeMark(): Promise<ShardMark> {
    await this.#refuseDataOfOthers();
    const write = markWrite(this.#place, { ifRevision: "absent" });
    await this.#inner.writeState(markId, write, null, markReceipt);
    const written = await this.#mark(); // another client may have been faster
    if (written !== null) return written;
    throw new UnavailableError(`${this.name} does not keep the mark of a shard`);
  }

  async #refuseDataOfOthers(): Promise<void> {
    const { shard, of } = this.#place;
    for (const list of ["listStates", "listLocks"] as const) {
      const page = (cursor: string | null, request: ListRequest): Promise<Page<{ id: string }>> =>
        this.#inner[list](cursor, request);
      const id = await firstId(page, (id) => shardOf(id, of) !== shard - 1);
      if (id === undefined) continue;
      const what = list === "listStates" ? "state" : "lock";
      throw new InvalidArgumentError(
        `${this.name} holds a store that was opened without shards: its ${what} ${quoted(id)} would not be found ` +
          `in shard ${shard} of ${of}. ${howToChange}.`,
      );
    }
  }
}

/** The first listed id that `isWanted`, of the first thousand. */
async function firstId(
  list: (cursor: string | null, request: ListRequest) => Promise<Page<{ readonly id: string }>>,
  isWanted: (id: string) => boolean,
): Promise<string | undefined> {
  let [cursor, count]: [string | null, number] = [null, 0];
  do {
    const page = await list(cursor, { idPrefix: "", limit: 500 });
    const ids = page.entries.map(({ id }) => id);
    const found = ids.find((id) => id !== markId && isWanted(id));
    if (found !== undefined) return found;
    count += ids.length;
    ({ cursor } = page);
  } while (cursor !== null && count < enoughEntries);
  return undefined;
}
