/**
 * Redis as a backend: every call is one atomic step of a script (or a plain read), one attempt, one answer.
 *
 * The protocol is in lua/; this file puts its arguments together, and decode.ts reads its answers. Calls of one tick may
 * share a script (batcher.ts); large values travel beside it (large-values.ts). Retrying, waiting and renewing are done above;
 * connecting, below (client.ts).
 */
import { randomBytes } from "node:crypto";
import { diagnostics, type WarningEvent } from "../../diagnostics.ts";
import {
  type AcquireReply,
  type AcquireRequest,
  type Backend,
  type CancelReply,
  type ListRequest,
  type LoadedState,
  type LockEntry,
  type Page,
  type Receipt,
  type ReleaseReply,
  type ReleaseRequest,
  type RenewEntry,
  type StateEntry,
  type StateWrite,
  type Ticket,
  type TouchReply,
  type Wake,
  type WriteReply,
} from "../contract.ts";
import { recordedStatuses } from "../recorded.ts";
import { Batcher, type Common, type Operation } from "./pipeline/batcher.ts";
import { Caller, failureBehind, type Call, type PlainCall } from "./pipeline/script-runner.ts";
import type { RedisArgument, RedisClient, RedisReply } from "./client/port.ts";
import { clientsOf, type Clients } from "./client/open-client.ts";
import { unreadableType } from "./envelope.ts";
import { FirstUse } from "./handshake.ts";
import { Flow } from "./pipeline/pacer.ts";
import { makeKeys, type Keys } from "./keys.ts";
import { argsOf, changeOf, LargeStates, millis, type Change } from "./large-values.ts";
import { ReceiptHash, type Life } from "./receipts.ts";
import { Replicas } from "./replicas.ts";
import * as read from "./pipeline/decode.ts";
import { scripts, type Script } from "./scripts/generated.ts";
import type { RedisClientLike } from "./client/node-redis-types.ts";
import { isStamp } from "./stamps.ts";
import { argumentOf } from "./token.ts";
import { Wakes } from "./subscription.ts";

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
  const clientId = options.clientId ?? randomBytes(12).toString("hex");
  return new RedisBackend(clientsOf(options.target, options.operationMs), { ...options, clientId });
}

export class RedisBackend implements Backend {
  readonly name: string;
  readonly clientId: string;
  readonly awaitReplicas: Backend["awaitReplicas"];
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #caller: Caller;
  readonly #wakes: Wakes;
  readonly #firstUse: FirstUse;
  readonly #receipts = new ReceiptHash();
  readonly #acquires: Batcher;
  readonly #renewals: Batcher;
  readonly #releases: Batcher;
  readonly #commits: Batcher;
  readonly #large = new LargeStates();
  readonly #replicas: Replicas | undefined;
  readonly #warned = new Set<string>();
  #listener: ((wake: Wake) => void) | undefined;
  /** The highest stamp that this client has seen: the floor of the next ones [S2] [L3]. */
  #seen = 0;

  constructor(
    { client, another, mayHaveSelected }: Clients,
    names: { readonly prefix: string; readonly clientId: string },
  ) {
    this.name = client.name;
    this.clientId = names.clientId;
    this.#client = client;
    const keys = makeKeys(names.prefix, names.clientId);
    const caller = new Caller(client);
    const warn = (cause: string, message: string): void => this.#warn(cause, message);
    const onWake = (wake: Wake): void => this.#heard(wake);
    const wakes = new Wakes({ client, caller, channel: keys.channel, onWake, warn });
    this.#firstUse = new FirstUse({ client, keys, warn, onConnected: () => wakes.start() });
    this.#keys = keys;
    this.#caller = caller;
    this.#wakes = wakes;
    const flow = new Flow();
    const batcher = (script: Script, common: () => Common): Batcher =>
      new Batcher({ caller, flow, script, common });
    const life = this.#receipts.life(); // renewals leave no receipts
    this.#acquires = batcher(scripts.acquire, () => this.#common(false));
    this.#renewals = batcher(scripts.renew, () => ({ keys: [], args: [keys.prefix], life }));
    this.#releases = batcher(scripts.release, () => this.#common(true));
    this.#commits = batcher(scripts.commit, () => this.#common(true));
    const keepMs = (): string => this.#receipts.life().args[0];
    const commands = mayHaveSelected ? caller : undefined;
    this.#replicas = another && new Replicas({ another, keys, keepMs, commands });
    this.awaitReplicas = this.#replicas?.answer;
  }

  get askAgainMs(): number {
    return this.#wakes.askAgainMs;
  }

  ready(): Promise<void> {
    return this.#firstUse.ready();
  }

  connect(): Promise<void> | undefined {
    return this.#firstUse.connect();
  }

  async loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState> {
    const key = this.#keys.state(id);
    const call = { keys: [key], args: [], read: read.readLoad, bytes: true, id };
    try {
      if (options.expiry) return this.#noteState(id, await this.#run({ ...call, script: scripts.load }));
      return this.#noteState(id, await this.#plain({ args: ["GET", key], read: read.readLoad, id }));
    } catch (error) {
      if (!read.isCorrupt(error)) throw error;
      // What GET refuses is there all the same: it is reported as what it is [S1] [S6].
      const type = await this.#plain({ args: ["TYPE", key], read: read.text });
      return type === "none" ? null : unreadableType(type);
    }
  }

  // eslint-disable-next-line max-params -- the contract's
  writeState(id: string, write: StateWrite, ticket: Ticket | null, receipt: Receipt): Promise<WriteReply> {
    const told = this.#receipts.for(receipt);
    const change = this.#changeOf(id, write, receipt);
    const writing = this.#recorded({
      script: scripts.write,
      ahead: change.ahead && [change.ahead],
      keys: this.#keys.all(id),
      args: (life) => [ticket ?? "", ...told, ...life, String(this.#seen), ...argsOf(change)],
      read: read.readWrite,
      id,
    });
    return writing.catch((error: unknown) => Promise.reject(failureBehind(change.ahead, error) as Error));
  }

  touchState(id: string, ttlMs: number, receipt: Receipt): Promise<TouchReply> {
    const args = [millis(ttlMs), ...this.#receipts.for(receipt)];
    const keys = [this.#keys.state(id), this.#keys.done];
    return this.#recorded({
      script: scripts.touch,
      keys,
      args: (life) => [...args, ...life],
      read: read.readTouch,
      id,
    });
  }

  // eslint-disable-next-line max-params -- the contract's
  acquireLock(id: string, ticket: Ticket, request: AcquireRequest, receipt: Receipt): Promise<AcquireReply> {
    if (!request.load || !this.#large.has(id)) return this.#acquire(id, ticket, request, receipt);
    if (this.#large.isFetched(id, ticket)) return this.#acquireLarge(id, ticket, request, receipt);
    return this.#acquire(id, ticket, { ...request, load: false }, receipt); // if it is granted, the state is loaded then
  }

  /** The state is fetched by a GET behind the script: if that grants, nobody else writes in between. */
  // eslint-disable-next-line max-params -- the contract's, passed on
  async #acquireLarge(
    id: string,
    ticket: Ticket,
    request: AcquireRequest,
    receipt: Receipt,
  ): Promise<AcquireReply> {
    let state: Promise<LoadedState> | undefined;
    const reply = await this.#acquire(id, ticket, { ...request, load: false }, receipt, () => {
      state = this.loadState(id, { expiry: false });
      state.catch(() => undefined); // whoever awaits it has the error
    });
    return reply.status === "granted" ? { ...reply, state: await state } : reply;
  }

  // eslint-disable-next-line max-params -- the contract's, passed on
  #acquire(
    id: string,
    ticket: Ticket,
    request: AcquireRequest,
    receipt: Receipt,
    onSent?: () => void,
  ): Promise<AcquireReply> {
    const { leaseMs, queue, load, fences } = request;
    const { relied } = this.#wakes;
    const wish = `${queue ? "q" : ""}${load ? "s" : ""}${relied === undefined ? "" : "p"}` || "-";
    const { slot, n } = receipt;
    return this.#add(this.#acquires, {
      id,
      ticket,
      own: [String(slot), n],
      terms: [millis(leaseMs), fences, wish],
      stamps: fences,
      wantsBytes: true, // who holds it may be any bytes
      onSent,
      read: (raw) => {
        const reply = read.readAcquire(raw, request);
        if (reply.status === "granted") this.#see(reply.fence + reply.fences - 1);
        if (reply.status === "granted" && load) this.#noteState(id, reply.state ?? null);
        if (relied !== undefined && reply.status === "waiting")
          this.#wakes.counted(relied, read.readSubscribers(raw));
        return reply;
      },
    });
  }

  async renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    const renewals = entries.map(({ id, ticket, leaseMs }) => {
      const asked = { id, ticket, own: [], terms: [millis(leaseMs)] };
      const operation = { ...asked, stamps: 0, wantsBytes: false, read: read.readRenew };
      return this.#add(this.#renewals, operation).catch(read.insteadIfCorrupt("lost" as const));
    });
    return Promise.all(renewals);
  }

  // eslint-disable-next-line max-params -- the contract's
  releaseLock(id: string, ticket: Ticket, request: ReleaseRequest, receipt: Receipt): Promise<ReleaseReply> {
    const { write, keep, forced } = request;
    const told = this.#receipts.for(receipt);
    if (forced !== undefined) return this.#force(id, [argumentOf(ticket), ...told], forced.ifFence);
    const operation = {
      ...{ id, ticket, own: told, terms: [], stamps: 0, wantsBytes: false },
      read: (reply: RedisReply, life: Life) => this.#note(read.readRelease(reply), life),
    };
    if (write === undefined && keep === undefined) return this.#add(this.#releases, operation);
    const { terms, ifRevision, bytes, staged, ahead, weight } = this.#changeOf(id, write, receipt);
    return this.#add(this.#commits, {
      ...operation,
      own: [...told, ifRevision, bytes?.byteLength ?? 0, staged],
      terms: [...terms, ...(keep === undefined ? ["", 0] : [millis(keep.leaseMs), keep.fences])],
      stamps: 1,
      bytes,
      ahead,
      weight,
    });
  }

  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    const told = this.#receipts.for(receipt);
    return this.#recorded({
      script: scripts.cancel,
      keys: this.#keys.all(id),
      args: (life) => [ticket, ...told, ...life, String(this.#seen)],
      read: read.readCancel,
      id,
    });
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    const keys = [this.#keys.lock(id), this.#keys.queue(id)];
    const entry = (reply: RedisReply): LockEntry | null => read.readInspect(id, reply);
    return this.#run({ script: scripts.inspect, keys, args: [], read: entry, bytes: true, id });
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    const describe = (id: string): Promise<StateEntry | null> => {
      const entry = (reply: RedisReply): StateEntry | null => read.readDescription(id, reply);
      const keys = [this.#keys.state(id)];
      return this.#run({ script: scripts.describe, keys, args: [], read: entry, bytes: true, id });
    };
    return this.#list("state", { cursor, request, describe });
  }

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    const describe = (id: string): Promise<LockEntry | null> =>
      this.inspectLock(id).catch(read.insteadIfCorrupt(null));
    return this.#list("lock", { cursor, request, describe });
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#wakes.close();
    await this.#replicas?.close();
    await this.#client.close();
  }

  async #list<Entry>(
    kind: "state" | "lock",
    page: { cursor: string | null; request: ListRequest; describe: (id: string) => Promise<Entry | null> },
  ): Promise<Page<Entry>> {
    const { idPrefix, limit } = page.request;
    const match = this.#keys.pattern(kind, idPrefix);
    const args = ["SCAN", page.cursor ?? "0", "MATCH", match, "COUNT", String(limit)];
    const { cursor, names } = await this.#plain({ args, read: read.readScan });
    const ids = new Set(names.map((name) => this.#keys.idOf(kind, name)));
    const entries = await Promise.all([...ids].map(page.describe));
    return { entries: entries.filter((entry) => entry !== null), cursor };
  }

  #run<T>(call: Call<T>): Promise<T> {
    return this.#connected(() => this.#caller.run(call));
  }

  #plain<T>(call: PlainCall<T>): Promise<T> {
    return this.#connected(() => this.#caller.plain(call));
  }

  #add<T>(batcher: Batcher, operation: Operation<T>): Promise<T> {
    return this.#connected(() => batcher.add(operation));
  }

  #connected<T>(send: () => Promise<T>): Promise<T> {
    const connecting = this.connect();
    return connecting === undefined ? send() : connecting.then(send);
  }

  /** Who forces a release writes nothing and keeps nothing: it is another's lock. */
  #force(id: string, told: readonly RedisArgument[], ifFence: number | undefined): Promise<ReleaseReply> {
    return this.#recorded({
      script: scripts.force,
      keys: this.#keys.all(id),
      args: (life) => [...told, ...life, String(this.#seen), String(ifFence ?? "")],
      read: read.readRelease,
      id,
    });
  }

  /** Runs one operation that leaves a receipt and may take a stamp. */
  #recorded<T extends Recorded>(
    call: Omit<Call<T>, "args"> & { args: (life: Life["args"]) => readonly RedisArgument[] },
  ): Promise<T> {
    const life = this.#receipts.life();
    return this.#run({
      ...call,
      args: call.args(life.args),
      read: (raw) => this.#note(call.read(raw), life),
    });
  }

  /** Takes note of what such an operation was answered. */
  #note<T extends Recorded>(reply: T, life: Life): T {
    if (recordedStatuses.has(reply.status)) this.#receipts.recorded(life);
    if ("revision" in reply) this.#see(reply.revision ?? 0);
    if ("fence" in reply) this.#see((reply.fence ?? 0) + (reply.fences ?? 1) - 1);
    return reply;
  }

  /** What the operations of one script have in common. */
  #common(withLife: boolean): Common {
    const life = this.#receipts.life();
    const { prefix, common } = this.#keys;
    return { keys: common, args: [prefix, String(this.#seen), ...(withLife ? life.args : [])], life };
  }

  #changeOf(id: string, write: StateWrite | undefined, receipt: Receipt): Change {
    if (write?.kind === "save") this.#large.see(id, write.bytes.byteLength);
    return changeOf(write, () => this.#keys.staged(id, receipt));
  }

  #noteState(id: string, state: LoadedState): LoadedState {
    if (state === null || !("revision" in state)) return state;
    this.#see(state.revision);
    this.#large.see(id, state.bytes.byteLength);
    return state;
  }

  #heard(wake: Wake): void {
    if (wake.kind === "granted") this.#see(wake.fence + wake.fences - 1);
    this.#listener?.(wake);
  }

  #see(stamp: number): void {
    if (stamp > this.#seen && isStamp(stamp)) this.#seen = stamp;
  }

  #warn(cause: string, message: string): void {
    if (this.#warned.has(cause)) return;
    this.#warned.add(cause);
    diagnostics.warning.publish({ cause, message } satisfies WarningEvent);
  }
}

type Recorded = WriteReply | TouchReply | ReleaseReply | CancelReply;
