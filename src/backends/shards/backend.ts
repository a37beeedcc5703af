/**
 * One store on several backends: its shards. An id picks the one that has it.
 *
 * Each shard is a complete store with its own stamps, receipts, queue and wakes, so every promise about one id is kept
 * by its shard alone. This file picks the shard, puts listings together and spreads renewals. If a shard fails, calls
 * about the ids of the others go on; a listing, which needs all of them, fails.
 */
import type {
  Backend,
  CommitEntry,
  Kept,
  ListRequest,
  Page,
  RenewEntry,
  StateCount,
  StateEntry,
  LockEntry,
  WaitNote,
  Wake,
  WriteEntry,
} from "../contract.ts";
import { callOf, ForwardingBackend, type BackendMethod } from "../forward.ts";
import { markId } from "../shard-mark.ts";
import { mergedPage } from "./merged-page.ts";
import { Shard } from "./shard.ts";
import { shardOf } from "../shard-of.ts";

export class ShardedBackend extends ForwardingBackend {
  readonly name: string;
  readonly clientId: string;
  readonly awaitReplicas: Backend["awaitReplicas"];
  readonly #shards: readonly [Backend, ...Backend[]];

  /** In this order, which is compared with what is stored. All have the same client id, so that wakes find their tickets. */
  constructor(name: string, parts: readonly Backend[]) {
    super();
    const of = parts.length;
    const [first, ...others] = parts.map((part, index) => new Shard(part, { shard: index + 1, of }));
    if (first === undefined || others.some(({ clientId }) => clientId !== first.clientId))
      throw new Error("HOLDFAST_CLIENT_IDS: the shards of a store have one client id");
    this.#shards = [first, ...others];
    this.clientId = first.clientId;
    this.name = name;
    const canWait = parts.every(({ awaitReplicas }) => awaitReplicas !== undefined);
    this.awaitReplicas = canWait ? (...args) => this.forward("awaitReplicas", args) : undefined;
  }

  /** If one of them polls, waiters of all do: the core asks for one answer, and an ask too many does no harm. */
  get askAgainMs(): number {
    return Math.min(...this.#shards.map(({ askAgainMs }) => askAgainMs));
  }

  get pushes(): boolean {
    return this.#shards.every(({ pushes }) => pushes);
  }

  readonly #shardOf = (id: string): number => shardOf(id, this.#shards.length);

  override get shardOf(): (id: string) => number {
    return this.#shardOf;
  }

  readonly connect = (id?: string): Promise<void> | undefined => {
    if (id !== undefined) return this.#of(id).connect?.(id);
    const connecting = this.#shards.map((shard) => shard.connect?.()).filter((one) => one !== undefined);
    return connecting.length === 0 ? undefined : Promise.all(connecting).then(() => undefined);
  };

  override async ready(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.ready()));
  }

  override async listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    if (request.order === undefined)
      return this.#list(cursor, (shard, from) => shard.listStates(from, request));
    const page = await mergedPage(this.#shards.length, request, (shard, limit) =>
      (this.#shards[shard] ?? this.#shards[0]).listStates(cursor, { ...request, limit }),
    );
    return { ...page, entries: page.entries.filter(({ id }) => id !== markId) };
  }

  /** Each shard counts at an instant of its own. */
  override async countStates(idPrefix: string): Promise<StateCount | null> {
    const counts = await Promise.all(this.#shards.map((shard) => shard.countStates(idPrefix)));
    const known = counts.filter((one) => one !== null);
    if (known.length < counts.length) return null;
    return { count: known.reduce((sum, { count }) => sum + count, 0), exact: false };
  }

  override listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    return this.#list(cursor, (shard, from) => shard.listLocks(from, request));
  }

  override async renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    const replies: ("renewed" | "lost")[] = [];
    const renewals = this.#shards.map(async (shard, index) => {
      const places = [...entries.keys()].filter((at) => this.#shardOf(entries[at]?.id ?? "") === index);
      if (places.length === 0) return;
      const own = await shard.renewLocks(places.flatMap((at) => entries[at] ?? []));
      for (const [nth, reply] of own.entries()) replies[places[nth] ?? 0] = reply;
    });
    await Promise.all(renewals);
    return replies;
  }

  onWake(listener: (wake: Wake) => void): void {
    for (const shard of this.#shards) shard.onWake(listener);
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()));
  }

  protected forward(method: BackendMethod, args: readonly unknown[]): Promise<never> {
    const [about] = args as [About];
    return callOf(this.#of(idOf(about)), method, args);
  }

  #of(id: string): Backend {
    return this.#shards[this.#shardOf(id)] ?? this.#shards[0];
  }

  /** One shard after the other. The cursor: the shard, and after a colon its own cursor, if it has begun. */
  async #list<Entry extends { readonly id: string }>(
    cursor: string | null,
    list: (shard: Backend, from: string | null) => Promise<Page<Entry>>,
  ): Promise<Page<Entry>> {
    const [, number = "0", from = null] = /^(\d+)(?::(.*))?$/s.exec(cursor ?? "0") ?? [];
    const at = Number(number);
    const page = await list(this.#shards[at] ?? this.#shards[0], from);
    const entries = page.entries.filter(({ id }) => id !== markId);
    const next = at + 1 < this.#shards.length ? String(at + 1) : null;
    return { ...page, entries, cursor: page.cursor === null ? next : `${number}:${page.cursor}` };
  }
}

/** What a call is about. One shard has all its states, and all locks of its notes. */
type About = string | Kept | readonly (string | CommitEntry | WriteEntry | WaitNote)[];

function idOf(about: About): string {
  if (typeof about === "string") return about;
  if ("id" in about) return about.id;
  const [first = ""] = about;
  return typeof first === "string" ? first : first.id;
}
