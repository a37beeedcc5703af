// A process's way to the server: a backend whose calls are requests and replies that take time, and can be lost. What it
// knows of receipts it knows as every backend does.
//
// A request is sent once; only the core repeats it. It arrives, or never, or long after its caller was told that the
// connection broke; its reply comes, late or never. A caller is told what a real client could know. Bytes are copied.

import { recordedStatuses } from "../../../src/backends/contract-types.ts";
import type { Attempt, Proofs } from "../../../src/backends/retry-proofs.ts";
import type { Backend, Durability, Kept, Wake } from "../../../src/backends/contract.ts";
import type { Random } from "../../torture/random.ts";
import type { Loop } from "../clock.ts";
import type { Copy } from "../core.ts";
import { receiptOf, type Call, type Client, type Method, type Sent, type Server } from "./server.ts";
import { victimsShare, type Weather } from "./weather.ts";

export interface WireOptions {
  readonly copy: Copy;
  readonly loop: Loop;
  readonly server: Server;
  readonly clientId: string;
  readonly random: Random;
  readonly weather: () => Weather;
  readonly pushes: boolean; // else a waiter asks so often:
  readonly askAgainMs: number;
  readonly hasReplicas: boolean;
  readonly trace: (what: string, fields: object) => void;
}

interface Settle {
  readonly answer: (reply: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** A call that has no answer yet. */
interface Pending {
  readonly number: number;
  readonly settle: Settle;
  isOver: boolean;
}

const firstAttempt: Attempt = { retry: false, proof: undefined };

type Args<M extends Method> = Parameters<NonNullable<Backend[M]>>;
type Reply<M extends Method> = Awaited<ReturnType<NonNullable<Backend[M]>>>;

export class Wire implements Backend {
  readonly name = "simulation";
  readonly clientId: string;
  readonly pushes: boolean;
  readonly askAgainMs: number;
  readonly awaitReplicas: Backend["awaitReplicas"];
  readonly #of: WireOptions;
  readonly #client: Client;
  readonly #proofs: Proofs;
  readonly #pending = new Set<Pending>();
  #listener: ((wake: Wake) => void) | undefined;
  #calls = 0;
  #lastArrival = 0;
  #lastReply = 0;
  #downUntil = 0;
  /** Callers who wait for the connection. */
  #connecting: { readonly promise: Promise<void>; readonly settle: Settle } | undefined;
  #isClosed = false;

  constructor(options: WireOptions) {
    this.#of = options;
    this.#proofs = new options.copy.parts.Proofs();
    this.clientId = options.clientId;
    this.pushes = options.pushes;
    this.askAgainMs = options.askAgainMs;
    this.#client = options.server.connect(
      options.clientId,
      options.pushes ? (wake) => this.#wake(wake) : undefined,
    );
    this.awaitReplicas = options.hasReplicas ? (...args) => this.#awaitReplicas(...args) : undefined;
  }

  ready = (...args: Args<"ready">) => this.#call("ready", args);
  loadState = (...args: Args<"loadState">) => this.#call("loadState", args);
  describeState = (...args: Args<"describeState">) => this.#call("describeState", args);
  writeState = (...args: Args<"writeState">) => this.#call("writeState", args);
  loadStates = (...args: Args<"loadStates">) => this.#call("loadStates", args);
  writeStates = (...args: Args<"writeStates">) => this.#call("writeStates", args);
  touchState = (...args: Args<"touchState">) => this.#call("touchState", args);
  listStates = (...args: Args<"listStates">) => this.#call("listStates", args);
  countStates = (...args: Args<"countStates">) => this.#call("countStates", args);
  acquireLock = (...args: Args<"acquireLock">) => this.#call("acquireLock", args);
  renewLocks = (...args: Args<"renewLocks">) => this.#call("renewLocks", args);
  releaseLock = (...args: Args<"releaseLock">) => this.#call("releaseLock", args);
  commitStates = (...args: Args<"commitStates">) => this.#call("commitStates", args);
  cancelLock = (...args: Args<"cancelLock">) => this.#call("cancelLock", args);
  inspectLock = (...args: Args<"inspectLock">) => this.#call("inspectLock", args);
  noteWaits = (...args: Args<"noteWaits">) => this.#call("noteWaits", args);
  changeSemaphore = (...args: Args<"changeSemaphore">) => this.#call("changeSemaphore", args);
  inspectSemaphore = (...args: Args<"inspectSemaphore">) => this.#call("inspectSemaphore", args);
  listLocks = (...args: Args<"listLocks">) => this.#call("listLocks", args);

  connect(): Promise<void> | undefined {
    return this.#isDown ? this.#reconnect() : undefined;
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  /** The connection breaks, and cannot be made again for so long. What was sent may arrive yet. */
  cut(ms: number): void {
    this.#downUntil = Math.max(this.#downUntil, this.#now + ms);
    for (const pending of this.#pending) this.#break(pending);
  }

  get #now(): number {
    return this.#of.loop.timeline.now;
  }

  get #isDown(): boolean {
    return this.#downUntil > this.#now || this.#connecting !== undefined;
  }

  /** [L1] Once per break: whoever waits then asks again, since wakes may have been lost. */
  #reconnect(): Promise<void> {
    if (this.#connecting !== undefined) return this.#connecting.promise;
    const { loop, random } = this.#of;
    const connecting = withSettle<void>();
    this.#connecting = connecting;
    const until = Math.min(this.#downUntil, this.#now + random.whole(50, 400)) + random.next();
    loop.timeline.at(until, () =>
      loop.post(() => {
        this.#connecting = undefined;
        if (this.#downUntil > this.#now) return connecting.settle.fail(this.#unreachable("none"));
        connecting.settle.answer(undefined);
        this.#listener?.({ kind: "again" });
      }),
    );
    return connecting.promise;
  }

  /** Those who do not wait for the connection are held back until it is there. */
  async #call<M extends Method>(method: M, args: Args<M>): Promise<Reply<M>> {
    if (this.#isClosed) throw this.#unreachable("none");
    if (this.#isDown) await this.#reconnect();
    const call = { method, args } as unknown as Call;
    const receipt = receiptOf(call);
    const attempt = receipt === undefined ? firstAttempt : this.#proofs.attempt(receipt);
    const reply = await this.#send({ call, attempt });
    if (receipt !== undefined && recordedStatuses.has((reply as { status: string }).status))
      this.#proofs.recorded(receipt);
    return reply as Reply<M>;
  }

  #send(sent: Sent): Promise<unknown> {
    const { call } = sent;
    const { random, trace } = this.#of;
    const { promise, settle } = withSettle<unknown>();
    const pending: Pending = { number: (this.#calls += 1), settle, isOver: false };
    const fate = this.#fate(call.method);
    trace("send", { n: pending.number, fate, ...call });
    if (fate === "refused") {
      settle.fail(this.#unreachable("none"));
      return promise;
    }
    this.#pending.add(pending);
    const request = copyOf(sent);
    if (fate === "lostRequest") this.#breakSoon(pending);
    else if (fate === "lateCopy") {
      this.#breakSoon(pending);
      this.#arrive(pending, request, this.#now + random.whole(1, 4_000));
    } else if (fate === "silence") {
      if (random.chance(0.5)) this.#arrive(pending, request, this.#now + random.whole(1, 2_000), true);
    } else this.#arrive(pending, request, this.#inOrder(), fate === "lostReply");
    return promise;
  }

  #fate(method: Method): "ok" | "refused" | "lostRequest" | "lostReply" | "lateCopy" | "silence" {
    const { random, weather } = this.#of;
    const { refused, lostRequest, lostReply, lateCopy, silence, victim } = weather();
    const bad = refused + lostRequest + lostReply + lateCopy + silence;
    if (bad === 0) return "ok";
    const ok = Math.max(1 - bad, 0) / (method === victim ? victimsShare : 1);
    return random.weighted({ refused, lostRequest, lostReply, lateCopy, silence, ok });
  }

  /** A connection keeps the order of what is sent on it. */
  #inOrder(): number {
    return (this.#lastArrival = Math.max(this.#lastArrival, this.#now + this.#latencyMs()));
  }

  #latencyMs(): number {
    const { random, weather } = this.#of;
    if (random.chance(weather().slow))
      return random.chance(0.3) ? random.whole(100, 2_500) : random.whole(5, 100);
    return 0.1 + random.next() * 1.5;
  }

  #arrive(pending: Pending, request: Sent, at: number, isSilent = false): void {
    const { loop, trace } = this.#of;
    loop.timeline.at(at, () => {
      const reply = this.#client.carryOut(request);
      trace("done", { n: pending.number, reply });
      if (isSilent) this.#breakSoon(pending);
      else if (!pending.isOver) this.#reply(pending, this.#replicasOf(request.call, reply));
    });
  }

  /** In the order of the replies of this connection. */
  #reply(pending: Pending, { reply, afterMs }: { reply: unknown; afterMs: number }): void {
    const { loop } = this.#of;
    const answer = copyOf(reply);
    const at = (this.#lastReply = Math.max(this.#lastReply, this.#now + this.#latencyMs()));
    loop.timeline.at(at + afterMs, () =>
      loop.post(() => {
        if (pending.isOver) return;
        this.#over(pending);
        pending.settle.answer(answer);
      }),
    );
  }

  /** Whoever waits for replicas holds up nobody else. */
  #replicasOf(request: Call, reply: unknown): { reply: unknown; afterMs: number } {
    if (request.method !== "awaitReplicas") return { reply, afterMs: 0 };
    const { random, weather } = this.#of;
    const [, { replicas, timeoutMs }] = request.args;
    if (reply === "lost" || random.chance(weather().tooFewReplicas / 4)) return { reply: "gone", afterMs: 0 };
    if (random.chance(weather().tooFewReplicas)) return { reply: replicas - 1, afterMs: timeoutMs };
    return { reply: replicas, afterMs: random.next() * timeoutMs * 0.9 };
  }

  /** With the whole connection at times, which then cannot be made again at once. */
  #breakSoon(pending: Pending): void {
    const { loop, random } = this.#of;
    const afterMs = random.chance(0.7) ? random.next() * 20 : random.whole(20, 1_500);
    const downMs = random.chance(0.4) ? random.whole(0, 1_500) : undefined;
    loop.timeline.after(afterMs, () => {
      if (downMs === undefined || pending.isOver) this.#break(pending);
      else this.cut(downMs);
    });
  }

  /** The caller is told that nobody knows. */
  #break(pending: Pending): void {
    const { loop } = this.#of;
    loop.post(() => {
      if (pending.isOver) return;
      this.#over(pending);
      pending.settle.fail(this.#unreachable("unknown"));
    });
  }

  #over(pending: Pending): void {
    pending.isOver = true;
    this.#pending.delete(pending);
  }

  #awaitReplicas(kept: Kept, durability: Durability): Promise<number | "gone"> {
    return this.#call("awaitReplicas", [kept, durability]);
  }

  #wake(wake: Wake): void {
    const { random, weather, trace } = this.#of;
    const { lostWake, lateWake, doubledWake } = weather();
    const isLost = this.#isDown || random.chance(lostWake);
    trace("wake", { isLost, ...wake });
    if (isLost) return;
    this.#tell(wake, random.chance(lateWake) ? random.whole(1, 3_000) : this.#latencyMs());
    if (random.chance(doubledWake)) this.#tell(wake, random.whole(0, 3_000));
  }

  #tell(wake: Wake, afterMs: number): void {
    const { loop } = this.#of;
    const copy = copyOf(wake);
    loop.timeline.after(afterMs, () => loop.post(() => this.#listener?.(copy)));
  }

  #unreachable(outcome: "none" | "unknown"): Error {
    const { UnavailableError } = this.#of.copy.library;
    return new UnavailableError("the connection to the simulation broke", { outcome });
  }
}

function withSettle<T>(): { promise: Promise<T>; settle: Settle } {
  let settle!: Settle;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { answer: resolve as (reply: unknown) => void, fail: reject };
  });
  return { promise, settle };
}

/** What is sent does not change when its sender goes on using it. A tenth of the time of structuredClone. */
function copyOf<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return new Uint8Array(value) as T;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)])) as T;
}
