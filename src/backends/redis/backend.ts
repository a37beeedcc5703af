/**
 * The contract on Redis: every call is one atomic step of a script (or a plain read), one attempt, one reply.
 *
 * The protocol is in scripts/; encode.ts makes its arguments, decode.ts reads its replies. Calls of one tick may share
 * a script (pipeline/); large values are sent separately (large-values.ts). The core does the retrying, waiting and
 * renewing; client/ connects.
 */
import { randomBytes } from "node:crypto";
import type * as contract from "../contract.ts";
import type { RedisClient, RedisReply } from "./client/client-port.ts";
import { openClient, type OpenedClient, type RedisTarget } from "./client/open-client.ts";
import { unreadableType } from "./protocol/envelope.ts";
import { StartupChecks } from "./startup-checks.ts";
import { Hints } from "./hints.ts";
import { makeKeys, type Keys } from "./protocol/keys.ts";
import { ManyStates } from "./many/many-states.ts";
import { Listing } from "./listing.ts";
import { LockCalls } from "./lock-calls.ts";
import { ServerFacts } from "./protocol/server-facts.ts";
import * as read from "./protocol/decode.ts";
import { readLastFence } from "./protocol/decode-holders.ts";
import { text } from "./protocol/reply-values.ts";
import * as encode from "./protocol/encode.ts";
import type { Operation } from "./protocol/operation.ts";
import { Pipeline, type PipelineMode } from "./pipeline/pipeline.ts";
import { ScriptRunner } from "./protocol/script-runner.ts";
import { scriptSettings, type ScriptOptions } from "./protocol/script-settings.ts";
import type { ReceiptExpiry } from "./protocol/receipt-hash.ts";
import { Replicas } from "./replicas.ts";
import { SingleCalls } from "./single-calls.ts";
import { StateCalls } from "./state-calls.ts";
import { scripts } from "./scripts/generated.ts";
import { noteWaits } from "./wait-notes.ts";
import { WakeSubscription } from "./wake-subscription.ts";
import { warnOncePerCause } from "./warn-once.ts";

export interface RedisBackendOptions extends ScriptOptions {
  readonly target: RedisTarget;
  readonly prefix: string;
  /** How long a call may take, in milliseconds. Attempts to connect and stalled connections get a part of it. */
  readonly operationMs: number;
  /** Whether it is one shard of a store. If not, it refuses to work where there is one. Default: false. */
  readonly isShard?: boolean | undefined;
  /** Whether the store keeps an index of its ids. Default: false. */
  readonly index?: boolean | undefined;
  /** Random unless given. */
  readonly clientId?: string | undefined;
  /** "none" switches batching and pacing off, to measure their effect. Default: "paced". Not an option of open(). */
  readonly pipeline?: PipelineMode | undefined;
}

/** Opens nothing yet: the first call connects. */
export function createRedisBackend(options: RedisBackendOptions): RedisBackend {
  const clientId = options.clientId ?? randomBytes(12).toString("hex");
  return new RedisBackend(openClient(options.target, options), { ...options, clientId });
}

export class RedisBackend implements contract.Backend {
  readonly name: string;
  readonly clientId: string;
  readonly awaitReplicas: contract.Backend["awaitReplicas"];
  readonly watch: (id: string) => Promise<void>;
  readonly unwatch: (id: string) => Promise<void>;
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #facts = new ServerFacts();
  readonly #startupChecks: StartupChecks;
  readonly #singleCalls: SingleCalls;
  readonly #pipeline: Pipeline;
  readonly #listing: Listing;
  readonly #lockCalls: LockCalls;
  readonly #stateCalls: StateCalls;
  readonly #many: ManyStates;
  readonly #wakes: WakeSubscription;
  readonly #hints: Hints;
  readonly #replicas: Replicas | undefined;
  #listener: ((wake: contract.Wake) => void) | undefined;

  constructor(
    { client, makeAnother, mayUseAnotherDatabase }: OpenedClient,
    options: Omit<RedisBackendOptions, "target" | "operationMs"> & { readonly clientId: string },
  ) {
    const { prefix, clientId, isShard = false, pipeline: mode = "paced" } = options;
    this.name = client.name;
    this.clientId = clientId;
    this.#client = client;
    const keys = (this.#keys = makeKeys(prefix, clientId, options.index));
    const facts = this.#facts;
    const isCluster = client.followsSlot === true;
    const settings = scriptSettings(isCluster, keys, options);
    const runner = new ScriptRunner(client, settings);
    const warn = warnOncePerCause();
    const onWake = (wake: contract.Wake): void => this.#heard(wake);
    const { channel } = keys;
    const wakes = (this.#wakes = new WakeSubscription({ client, runner, channel, onWake, warn }));
    const onConnected = (): void => wakes.start();
    const startupChecks = new StartupChecks({ client, keys, settings, isShard, warn, onConnected });
    this.#startupChecks = startupChecks;
    this.#singleCalls = new SingleCalls({ startupChecks, runner, facts });
    const whenConnected = <T>(send: () => Promise<T>): Promise<T> => startupChecks.whenConnected(send);
    this.#pipeline = new Pipeline({ mode, whenConnected, runner, keys, facts });
    this.#listing = new Listing({
      name: client.name,
      singleCalls: this.#singleCalls,
      keys,
      followsSlot: isCluster,
    });
    this.#lockCalls = new LockCalls(this.#singleCalls, keys, facts);
    this.#stateCalls = new StateCalls(this.#singleCalls, keys, facts);
    const load = (id: string): Promise<contract.LoadedState> => this.loadState(id, { expiry: false });
    this.#many = new ManyStates({ singleCalls: this.#singleCalls, keys, facts, load });
    this.#hints = new Hints({ singleCalls: this.#singleCalls, keys, wakes, isCluster, onWake });
    ({ watch: this.watch, unwatch: this.unwatch } = this.#hints);
    const keepMs = (): string => facts.receipts.expiry().args[0];
    const commands = mayUseAnotherDatabase ? runner : undefined;
    this.#replicas = makeAnother && new Replicas({ makeAnother, keys, keepMs, commands, settings });
    this.awaitReplicas = this.#replicas?.awaitReplicas;
  }

  get askAgainMs(): number {
    return this.#wakes.askAgainMs;
  }

  get pushes(): boolean {
    return this.#wakes.pushes;
  }

  ready(): Promise<void> {
    return this.#startupChecks.ready();
  }

  connect(): Promise<void> | undefined {
    return this.#startupChecks.connect();
  }

  async loadState(id: string, options: { readonly expiry: boolean }): Promise<contract.LoadedState> {
    try {
      return this.#facts.noteState(id, await this.#load(id, options.expiry));
    } catch (error) {
      if (!read.isCorrupt(error)) throw error;
      // What GET refuses exists nevertheless, and is reported with its type [S1] [S6].
      const type = await this.#singleCalls.command({
        args: ["TYPE", this.#keys.state(id)],
        read: text,
      });
      return type === "none" ? null : unreadableType(type);
    }
  }

  describeState(id: string): Promise<contract.StateDescription | contract.UnreadableState | null> {
    return this.#listing.describeState(id);
  }

  writeState(...args: Parameters<contract.Backend["writeState"]>): Promise<contract.WriteReply> {
    return this.#stateCalls.write(...args);
  }

  loadStates(ids: readonly string[]): Promise<readonly contract.LoadedState[]> {
    return this.#many.load(ids);
  }

  writeStates(...args: Parameters<contract.Backend["writeStates"]>): Promise<contract.WriteStatesReply> {
    return this.#many.write(...args);
  }

  touchState(...args: Parameters<contract.Backend["touchState"]>): Promise<contract.TouchReply> {
    return this.#stateCalls.touch(...args);
  }

  commitStates(...args: Parameters<contract.Backend["commitStates"]>): Promise<contract.CommitReply> {
    return this.#stateCalls.commit(...args);
  }

  countStates(idPrefix: string): Promise<contract.StateCount | null> {
    return this.#listing.countStates(idPrefix);
  }

  acquireLock(...args: Parameters<contract.Backend["acquireLock"]>): Promise<contract.AcquireReply> {
    const [id, ticket, request, receipt] = args;
    const { largeValues } = this.#facts;
    const asked = { id, ticket, request, receipt };
    if (request.from !== undefined) return this.#lockCalls.adopt(asked);
    if (!request.load || !largeValues.has(id)) return this.#acquire(asked);
    const withoutState = { ...asked, request: { ...request, load: false } };
    if (largeValues.shouldFetch(id, ticket)) return this.#acquireAndFetch(withoutState);
    return this.#acquire(withoutState); // if it is granted, the state is loaded afterwards
  }

  async renewLocks(entries: readonly contract.RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    const renewals = entries.map((entry) =>
      this.#pipeline
        .renew({ request: encode.encodeRenewal(entry), read: read.readRenew })
        .catch(read.insteadIfCorrupt("lost" as const)),
    );
    return Promise.all(renewals);
  }

  releaseLock(...args: Parameters<contract.Backend["releaseLock"]>): Promise<contract.ReleaseReply> {
    const [id, ticket, request, receipt] = args;
    const { write, keep, forced } = request;
    if (forced !== undefined) return this.#lockCalls.force({ id, ticket, receipt, ifFence: forced.ifFence });
    const release = encode.encodeRelease(id, ticket, this.#facts.receipts.fieldsFor(receipt));
    const decode = (reply: RedisReply, expiry: ReceiptExpiry): contract.ReleaseReply =>
      this.#facts.noteRecorded(read.readRelease(reply), receipt, expiry);
    if (write === undefined && keep === undefined)
      return this.#pipeline.release({ request: release, read: decode });
    const encoded = this.#stateCalls.encode(id, write, receipt);
    return this.#pipeline.commit({ request: encode.encodeCommit(release, encoded, keep), read: decode });
  }

  cancelLock(id: string, ticket: contract.Ticket, receipt: contract.Receipt): Promise<contract.CancelReply> {
    return this.#lockCalls.cancel(id, ticket, receipt);
  }

  noteWaits(
    ...args: Parameters<contract.Backend["noteWaits"]>
  ): Promise<readonly (contract.Deadlock | null)[]> {
    return noteWaits(this.#singleCalls, this.#keys, args);
  }

  inspectLock(id: string): Promise<contract.LockEntry | null> {
    return this.#listing.inspectLock(id);
  }

  listStates(
    cursor: string | null,
    request: contract.ListRequest,
  ): Promise<contract.Page<contract.StateEntry>> {
    return this.#listing.listStates(cursor, request);
  }

  listLocks(
    cursor: string | null,
    request: contract.ListRequest,
  ): Promise<contract.Page<contract.LockEntry>> {
    return this.#listing.listLocks(cursor, request);
  }

  changeSemaphore(
    ...args: Parameters<contract.Backend["changeSemaphore"]>
  ): Promise<contract.SemaphoreReply | contract.Forgotten> {
    return this.#lockCalls.changeSemaphore(...args);
  }

  inspectSemaphore(id: string): Promise<contract.SemaphoreEntry | null> {
    return this.#listing.inspectSemaphore(id);
  }

  onWake(listener: (wake: contract.Wake) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#wakes.close();
    this.#hints.close();
    await this.#replicas?.close();
    await this.#client.close();
  }

  #load(id: string, withExpiry: boolean): Promise<contract.LoadedState> {
    const key = this.#keys.state(id);
    if (!withExpiry) return this.#singleCalls.command({ args: ["GET", key], read: read.readLoad, id });
    const call = { script: scripts.load, keys: [key], args: [], read: read.readLoad, bytes: true, id };
    return this.#singleCalls.run(call);
  }

  #acquire(asked: encode.AcquireFields, onSent?: () => void): Promise<contract.AcquireReply> {
    const { reliedOn } = this.#wakes;
    const operation: Operation<contract.AcquireReply> = {
      request: encode.encodeAcquire(asked, reliedOn !== undefined),
      onSent,
      read: (raw) => {
        const reply = read.readAcquire(raw, asked.request);
        if (reliedOn !== undefined && reply.status === "waiting")
          this.#wakes.subscribersCounted(reliedOn, read.readSubscribers(raw));
        if (reply.status === "waiting") this.#facts.noteHolder(readLastFence(raw));
        return this.#facts.noteAcquire(asked.id, reply);
      },
    };
    return asked.request.share === undefined
      ? this.#pipeline.acquire(operation)
      : this.#pipeline.acquireShare(operation);
  }

  /** A large state is fetched by a GET after the script: once that has granted the lock, no other client writes. */
  async #acquireAndFetch(asked: encode.AcquireFields): Promise<contract.AcquireReply> {
    let state: Promise<contract.LoadedState> | undefined;
    const reply = await this.#acquire(asked, () => {
      state = this.loadState(asked.id, { expiry: false });
      state.catch(() => undefined); // awaited below if the lock was granted
    });
    return reply.status === "granted" ? { ...reply, state: await state } : reply;
  }

  #heard(wake: contract.Wake): void {
    if (this.#hints.concerns(wake)) this.#listener?.(this.#facts.noteWake(wake));
    if (wake.kind === "again" && this.#wakes.pushes) void this.#hints.noteAgain();
  }
}
