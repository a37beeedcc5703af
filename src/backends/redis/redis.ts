/**
 * Redis as a backend: every call is one script (or a plain read), one attempt, one answer.
 *
 * The protocol is in lua/; this file puts its arguments together and reads its replies. Retrying, waiting and renewing
 * are done above, connecting below (client.ts).
 */
import { randomBytes } from "node:crypto";
import { diagnostics, type WarningEvent } from "../../diagnostics.ts";
import { HoldfastError, UnavailableError } from "../../errors.ts";
import type {
  AcquireReply,
  AcquireRequest,
  Backend,
  CancelReply,
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
  Unreadable,
  Wake,
  WriteReply,
} from "../backend.ts";
import { parseAddress } from "./address.ts";
import { BorrowedRedis } from "./borrowed.ts";
import { ReplyError, type RedisArgument, type RedisClient, type RedisReply } from "./client.ts";
import { unreadableType } from "./envelope.ts";
import { replyFailure } from "./failures.ts";
import { makeKeys, type Keys } from "./keys.ts";
import { NodeRedis } from "./node-redis.ts";
import { ReceiptArguments } from "./receipts.ts";
import * as read from "./reply.ts";
import { scripts, type Script } from "./scripts.ts";
import type { RedisClientLike } from "./shapes.ts";

/** Without a wake: seldom where wakes are pushed [L8], often where they cannot be. */
const pushedAskAgainMs = 5_000;
const polledAskAgainMs = 250;
/** A subscription that fails so often in a row is not expected soon. */
const patience = 3;

export interface RedisBackendOptions {
  /** A URL, or the user's own connected client. */
  readonly target: string | URL | RedisClientLike;
  readonly prefix: string;
  /** How long a conversation may take; attempts to connect and stalled connections get a part of it. */
  readonly operationMs: number;
  /** Fresh random bits unless given. */
  readonly clientId?: string | undefined;
}

/** Opens nothing yet: the first call connects. */
export function createRedisBackend(options: RedisBackendOptions): RedisBackend {
  const { target, operationMs } = options;
  const isUrl = typeof target === "string" || target instanceof URL;
  const client = isUrl
    ? new NodeRedis(parseAddress(target), operationMs)
    : new BorrowedRedis(target, operationMs);
  return new RedisBackend(client, {
    ...options,
    clientId: options.clientId ?? randomBytes(12).toString("hex"),
  });
}

interface Call<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  readonly bytes?: boolean | undefined;
  /** For messages. */
  readonly id?: string | undefined;
}

export class RedisBackend implements Backend {
  readonly name: string;
  readonly clientId: string;
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #receipts = new ReceiptArguments();
  readonly #warned = new Set<string>();
  /** Scripts that are being loaded: one SCRIPT LOAD serves all who miss one. */
  readonly #loading = new Map<string, Promise<unknown>>();
  #listener: ((wake: Wake) => void) | undefined;
  /** The highest stamp that this client has seen: the floor of the next ones [S2] [L3]. */
  #seen = 0;
  #listening = false;
  #missedSubscriptions = 0;
  #subscribed = false;
  #prepared = false;
  #preparing: Promise<void> | undefined;

  constructor(client: RedisClient, names: { readonly prefix: string; readonly clientId: string }) {
    this.name = client.name;
    this.clientId = names.clientId;
    this.#client = client;
    this.#keys = makeKeys(names.prefix, names.clientId);
  }

  get askAgainMs(): number {
    return this.#listening || this.#missedSubscriptions < patience ? pushedAskAgainMs : polledAskAgainMs;
  }

  ready(): Promise<void> {
    return this.#prepared ? this.#client.connect() : this.#prepare();
  }

  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState> {
    const key = this.#keys.state(id);
    const loaded = options.expiry
      ? this.#run({ script: scripts.load, keys: [key], args: [], read: read.readLoad, bytes: true, id })
      : this.#command(["GET", key], read.readLoad, id);
    return loaded.then(
      (state) => {
        if (state !== null && !("unreadable" in state)) this.#see(state.revision);
        return state;
      },
      (error: unknown) => this.#unreadable(key, error),
    );
  }

  // eslint-disable-next-line max-params -- the contract's
  async writeState(
    id: string,
    write: StateWrite,
    ticket: Ticket | null,
    receipt: Receipt,
  ): Promise<WriteReply> {
    const args = [...this.#told(receipt), ...changeArguments(write)];
    const call = {
      script: scripts.write,
      keys: this.#keys.all(id),
      args: [ticket ?? "", ...args],
      read: read.readWrite,
      id,
    };
    const reply = await this.#recorded(call, args);
    if (reply.status === "saved") this.#see(reply.revision);
    return reply;
  }

  touchState(id: string, ttlMs: number): Promise<{ readonly status: "touched" | "absent" } | Unreadable> {
    const keys = [this.#keys.state(id)];
    return this.#run({ script: scripts.touch, keys, args: [millis(ttlMs)], read: read.readTouch, id });
  }

  // eslint-disable-next-line max-params -- the contract's
  async acquireLock(
    id: string,
    ticket: Ticket,
    request: AcquireRequest,
    receipt: Receipt,
  ): Promise<AcquireReply> {
    const { leaseMs, queue, load, fences } = request;
    const wish = `${queue ? "q" : ""}${load ? "s" : ""}${this.#listening ? "p" : ""}` || "-";
    const of = [ticket, String(receipt.slot), String(receipt.n), String(this.#seen)];
    const reply = await this.#run({
      script: scripts.acquire,
      keys: this.#keys.all(id),
      args: [...of, millis(leaseMs), String(fences), wish],
      read: (raw) => read.readAcquire(raw, request),
      bytes: load,
      id,
    });
    if (reply.status === "granted") this.#see(reply.fence + reply.fences - 1);
    return reply;
  }

  async renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    const renewals = entries.map(({ id, ticket, leaseMs }) => {
      const keys = this.#keys.all(id).slice(0, 3);
      const result = (reply: RedisReply): "renewed" | "lost" => (reply === 1 ? "renewed" : "lost");
      return this.#run({
        script: scripts.renew,
        keys,
        args: [ticket, millis(leaseMs)],
        read: result,
        id,
      }).catch(lostIfCorrupt);
    });
    return Promise.all(renewals);
  }

  // eslint-disable-next-line max-params -- the contract's
  async releaseLock(
    id: string,
    ticket: Ticket,
    request: ReleaseRequest,
    receipt: Receipt,
  ): Promise<ReleaseReply> {
    const { write, keep, forced } = request;
    const told = this.#told(receipt);
    const call = { keys: this.#keys.all(id), read: read.readRelease, id };
    if (forced !== undefined) {
      const args = [ticket, ...told, String(forced.ifFence ?? "")];
      return this.#recorded({ ...call, script: scripts.force, args }, told);
    }
    if (write === undefined && keep === undefined) {
      return this.#recorded({ ...call, script: scripts.release, args: [ticket, ...told] }, told);
    }
    const kept = keep === undefined ? ["", "0"] : [millis(keep.leaseMs), String(keep.fences)];
    const args = [ticket, ...told, ...changeArguments(write), ...kept];
    const reply = await this.#recorded({ ...call, script: scripts.commit, args }, told);
    if ("revision" in reply && reply.revision !== null) this.#see(reply.revision);
    if (reply.status === "kept" && reply.fence !== undefined)
      this.#see(reply.fence + (reply.fences ?? 1) - 1);
    return reply;
  }

  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    const told = this.#told(receipt);
    const keys = this.#keys.all(id);
    return this.#recorded(
      { script: scripts.cancel, keys, args: [ticket, ...told], read: read.readCancel, id },
      told,
    );
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    const keys = [this.#keys.lock(id), this.#keys.queue(id)];
    const entry = (reply: RedisReply): LockEntry | null => read.readInspect(id, reply);
    return this.#run({ script: scripts.inspect, keys, args: [], read: entry, id });
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    const describe = (id: string): Promise<StateEntry | null> =>
      this.#run({
        script: scripts.describe,
        keys: [this.#keys.state(id)],
        args: [],
        read: (reply) => read.readDescription(id, reply),
        bytes: true,
        id,
      });
    return this.#list("state", { cursor, request, describe });
  }

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    return this.#list("lock", {
      cursor,
      request,
      describe: (id) => this.inspectLock(id).catch(nullIfCorrupt),
    });
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.#listener = undefined;
    return this.#client.close();
  }

  async #list<Entry>(
    kind: "state" | "lock",
    page: { cursor: string | null; request: ListRequest; describe: (id: string) => Promise<Entry | null> },
  ): Promise<Page<Entry>> {
    const match = this.#keys.pattern(kind, page.request.idPrefix);
    const scan = ["SCAN", page.cursor ?? "0", "MATCH", match, "COUNT", String(page.request.limit)];
    const [next, names] = await this.#command(scan, readScan);
    const ids = new Set(names.map((name) => this.#keys.idOf(kind, name)));
    const entries = await Promise.all([...ids].map(page.describe));
    return { entries: entries.filter((entry) => entry !== null), cursor: next === "0" ? null : next };
  }

  /** slot n keep refresh proofSlot proofN seen */
  #told(receipt: Receipt): readonly string[] {
    return [...this.#receipts.for(receipt), String(this.#seen)];
  }

  /** Runs an operation that leaves a receipt. */
  async #recorded<T extends { status: string }>(call: Call<T>, told: readonly RedisArgument[]): Promise<T> {
    const sentAt = performance.now();
    const reply = await this.#run(call);
    if (recordedStatuses.has(reply.status)) this.#receipts.recorded(told as readonly string[], sentAt);
    return reply;
  }

  /** One EVALSHA. A script that the server does not know was certainly not run: it is loaded, and the call repeated. */
  #run<T>(call: Call<T>): Promise<T> {
    if (!this.#prepared) return this.#prepareFor().then(() => this.#evaluate(call));
    return this.#evaluate(call);
  }

  #evaluate<T>(call: Call<T>): Promise<T> {
    const { script, keys } = call;
    const args = ["EVALSHA", script.sha1, String(keys.length), ...keys, ...call.args];
    const command = { args, bytes: call.bytes === true };
    return this.#client.send(command, call.read).catch(async (error: unknown) => {
      if (!(error instanceof ReplyError) || !error.message.includes("NOSCRIPT"))
        throw this.#failure(error, call.id);
      await this.#load(script);
      return this.#client.send(command, call.read).catch((again: unknown) => {
        throw this.#failure(again, call.id);
      });
    });
  }

  #load(script: Script): Promise<unknown> {
    let loading = this.#loading.get(script.name);
    if (loading === undefined) {
      loading = this.#client
        .send({ args: ["SCRIPT", "LOAD", script.text], bytes: false }, (reply) => reply)
        .catch((error: unknown) => {
          throw this.#failure(error);
        })
        .finally(() => this.#loading.delete(script.name));
      this.#loading.set(script.name, loading);
    }
    return loading;
  }

  /** A plain read; its strings arrive as bytes. */
  async #command<T>(args: readonly string[], take: (reply: RedisReply) => T, id?: string): Promise<T> {
    if (!this.#prepared) await this.#prepareFor();
    return this.#client.send({ args, bytes: true }, take).catch((error: unknown) => {
      throw this.#failure(error, id);
    });
  }

  /** Before an operation, what `ready()` would refuse matters only if nothing could succeed. */
  async #prepareFor(): Promise<void> {
    try {
      await this.#prepare();
    } catch (error) {
      if (error instanceof UnavailableError && (error.code === "READ_ONLY" || error.code === "OUT_OF_MEMORY"))
        return;
      throw error;
    }
  }

  #prepare(): Promise<void> {
    this.#preparing ??= this.#prepareOnce().finally(() => (this.#preparing = undefined));
    return this.#preparing;
  }

  /** The first connection: rights are probed, wakes subscribed to, and a server that may forget is warned of. */
  async #prepareOnce(): Promise<void> {
    await this.#client.connect();
    this.#subscribe();
    const probe = {
      script: scripts.probe,
      keys: [this.#keys.probe],
      args: [this.#keys.channel],
      read: () => undefined,
    };
    await Promise.all([this.#evaluate(probe), this.#checkEviction()]);
    this.#prepared = true;
  }

  #subscribe(): void {
    if (this.#subscribed) return;
    this.#subscribed = true;
    this.#client.subscribe(this.#keys.channel, {
      message: (bytes) => this.#heard(bytes),
      up: () => {
        this.#listening = true;
        this.#missedSubscriptions = 0;
        this.#tell({ kind: "again" });
      },
      down: (error) => {
        this.#listening = false;
        this.#missedSubscriptions += 1;
        if (this.#missedSubscriptions === patience) {
          this.#warn(
            "redis-no-wakes",
            `${this.name} does not let this process subscribe to ${this.#keys.channel} (${error.message}). Waiting for locks works, by asking every ${String(polledAskAgainMs)} ms.`,
          );
        }
      },
    });
  }

  async #checkEviction(): Promise<void> {
    const info = await this.#client
      .send({ args: ["INFO", "memory"], bytes: false }, read.text)
      .catch(() => "");
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "noeviction";
    const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    if (policy === "noeviction" || limit === 0) return;
    this.#warn(
      "redis-eviction",
      `${this.name} may evict locks and states when its memory is full: its maxmemory-policy is ${policy}. Set it to noeviction.`,
    );
  }

  #warn(cause: string, message: string): void {
    if (this.#warned.has(cause)) return;
    this.#warned.add(cause);
    diagnostics.warning.publish({ cause, message } satisfies WarningEvent);
  }

  #heard(message: Buffer): void {
    const wake = read.readWake(message);
    if (wake === null) return;
    if (wake.kind === "granted") this.#see(wake.fence + wake.fences - 1);
    this.#tell(wake);
  }

  #tell(wake: Wake): void {
    this.#listener?.(wake);
  }

  #see(stamp: number): void {
    if (stamp > this.#seen && Number.isSafeInteger(stamp)) this.#seen = stamp;
  }

  /** What GET refuses is there all the same: it is reported as what it is [S1] [S6]. */
  async #unreadable(key: string, error: unknown): Promise<LoadedState> {
    if (!(error instanceof HoldfastError) || error.code !== "CORRUPT_STATE") throw error;
    const type = await this.#command(["TYPE", key], read.text);
    return type === "none" ? null : unreadableType(type);
  }

  #failure(error: unknown, id?: string): unknown {
    return error instanceof ReplyError ? replyFailure(this.name, error.message, id) : error;
  }
}

const recordedStatuses: ReadonlySet<string> = new Set(["saved", "deleted", "released", "kept", "cancelled"]);

/** kind serializer ttl ifRevision bytes */
function changeArguments(write: StateWrite | undefined): readonly RedisArgument[] {
  if (write === undefined) return ["none", "", "", "", ""];
  const ifRevision = String(write.ifRevision ?? "");
  if (write.kind === "delete") return ["delete", "", "", ifRevision, ""];
  const { bytes, serializer, ttlMs } = write;
  const ttl = typeof ttlMs === "number" ? millis(ttlMs) : ttlMs;
  return ["save", serializer, ttl, ifRevision, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)];
}

/** Redis takes whole milliseconds, and no zero. */
function millis(ms: number): string {
  return String(Math.max(1, Math.round(ms)));
}

function readScan(reply: RedisReply): readonly [string, readonly string[]] {
  const [cursor, names] = reply as readonly [RedisReply, readonly RedisReply[]];
  return [read.text(cursor), names.map(read.text)];
}

function lostIfCorrupt(error: unknown): "lost" {
  if (error instanceof HoldfastError && error.code === "CORRUPT_STATE") return "lost";
  throw error;
}

function nullIfCorrupt(error: unknown): null {
  if (error instanceof HoldfastError && error.code === "CORRUPT_STATE") return null;
  throw error;
}
