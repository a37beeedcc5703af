// For tests of one room of the core: its modules on a clock that is set by hand, a backend that answers what the test says, and
// requests and changes made by hand.
//
// The library is loaded again under the clock of the file. Classes are then others than those that a test imports at its top: take them from here, or import them when a test begins.

import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";

import { onFakeTimers } from "./on-fake-timers.ts";
import type { Backend, Granted } from "../../../src/backends/contract.ts";
import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import type * as LocalQueues from "../../../src/scheduling/local-queue.ts";
import type * as Requests from "../../../src/scheduling/request.ts";
import type { WaitOptions } from "../../../src/ownership/wait-options.ts";
import type { Hold } from "../../../src/leases/hold.ts";
import type { Change } from "../../../src/updates/change.ts";
import type { DraftCall } from "../../../src/updates/changes/draft-change.ts";

export type Method =
  "acquireLock" | "releaseLock" | "cancelLock" | "loadState" | "writeState" | "awaitReplicas";
type Answer = (...args: unknown[]) => unknown;

/** A memory backend, but for the methods that the test answers: `answer` may return a promise, or throw. */
export class ScriptedBackend extends MemoryBackend {
  /** What was called, in order, with its arguments. */
  readonly sent: { readonly method: Method; readonly args: readonly unknown[] }[] = [];
  readonly awaitReplicas: NonNullable<Backend["awaitReplicas"]>;
  readonly #answers = new Map<Method, Answer>();

  constructor() {
    super();
    this.awaitReplicas = () => Promise.resolve(0);
    for (const method of [
      "acquireLock",
      "releaseLock",
      "cancelLock",
      "loadState",
      "writeState",
      "awaitReplicas",
    ] as const) {
      const own = this[method].bind(this) as (...args: unknown[]) => Promise<unknown>;
      const call = async (...args: unknown[]): Promise<unknown> => {
        this.sent.push({ method, args });
        const answer = this.#answers.get(method);
        return answer === undefined ? own(...args) : answer(...args);
      };
      Object.defineProperty(this, method, { value: call });
    }
  }

  answer(method: Method, answer: Answer): void {
    this.#answers.set(method, answer);
  }

  /** The names of the methods that were called. */
  get methods(): Method[] {
    return this.sent.map(({ method }) => method);
  }

  /** What was asked of this method: its arguments, call by call. */
  argsOf(method: Method): (readonly unknown[])[] {
    return this.sent.filter((one) => one.method === method).map(({ args }) => args);
  }
}

/** A promise that the test settles. */
export class Later<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

async function load() {
  const [calls, registry, queue, request, change, codec, errors] = await Promise.all([
    import("../../../src/calls/backend-calls.ts"),
    import("../../../src/leases/ticket-registry.ts"),
    import("../../../src/scheduling/local-queue.ts"),
    import("../../../src/scheduling/request.ts"),
    import("../../../src/updates/change.ts"),
    import("../../../src/updates/codec.ts"),
    import("../../../src/errors.ts"),
  ]);
  const drafts = await import("../../../src/updates/changes/draft-change.ts");
  const json = (await import("../../../src/serializers/json.ts")).json;
  return { ...calls, ...registry, ...queue, ...request, ...change, ...drafts, ...codec, ...errors, json };
}

type Modules = Awaited<ReturnType<typeof load>>;

/** What a test of a room begins with. */
export class Room {
  readonly modules: Modules;
  readonly backend = new ScriptedBackend();
  readonly calls: InstanceType<Modules["BackendCalls"]>;
  readonly #closing = new AbortController();
  readonly tickets: InstanceType<Modules["TicketRegistry"]>;

  constructor(modules: Modules) {
    this.modules = modules;
    this.calls = new modules.BackendCalls(this.backend, 5_000);
    this.tickets = new modules.TicketRegistry(this.calls, { isMarked: true, closing: this.#closing });
  }

  /** A lock that a ticket of ours holds from now on: fences 100, 101 … */
  hold(given: Partial<Omit<Granted, "status">> = {}, id = "x"): Hold {
    const leaseMs = given.leaseMs ?? 30_000;
    const grant = { fence: 100, fences: 64, waiting: 0, leaseMs, ...given };
    const acquisition = this.tickets.start(id, leaseMs);
    return this.tickets.granted(acquisition, grant, performance.now());
  }

  queue(): LocalQueues.LocalQueue {
    return new this.modules.LocalQueue(this.calls, {
      timeoutError: ({ waitMs }) => new Error(`waited ${String(waitMs)}`),
      onFail: () => undefined,
    });
  }

  grantRequest(how: Partial<WaitOptions> = {}): Requests.GrantRequest {
    const request = new this.modules.GrantRequest(waiting(how));
    request.granted.catch(() => undefined);
    return request;
  }

  changeRequest(change: Change, how: Partial<WaitOptions> = {}): Requests.ChangeRequest {
    return new this.modules.ChangeRequest(waiting(how), change);
  }

  /** An update of a number, 0 at first. */
  update(fn: (n: number) => unknown, durability?: DraftCall["durability"]): Change {
    const { UpdateChange } = this.modules;
    const change = new UpdateChange({
      codec: this.#codec,
      initial: () => 0,
      durability,
      fn: (draft) => fn(draft as number),
    });
    change.promise.catch(() => undefined);
    return change;
  }

  /** A save, which learns its revision. */
  save(value: unknown): Change {
    const { SaveChange } = this.modules;
    const of = { id: "x", codec: this.#codec, durability: undefined };
    const bytes = this.#codec.encode(value);
    const change = new SaveChange(of, { bytes, ttlMs: "keep", ifRevision: undefined });
    change.promise.catch(() => undefined);
    return change;
  }

  /** Stored, at this revision. */
  stored(value: unknown, revision: number) {
    return { revision, serializer: "json", bytes: this.#codec.encode(value) };
  }

  get #codec() {
    return new this.modules.Codec("x", this.modules.json, 1_000);
  }
}

function waiting(how: Partial<WaitOptions>): WaitOptions {
  return { leaseMs: 30_000, waitMs: 60_000, signal: undefined, ...how };
}

/** A room for each test, with a clock that stands still until the test advances it: `told` gets it. */
export function withRoom(told: (room: Room) => void | Promise<void>): void {
  let modules: Modules;
  let room: Room;
  beforeAll(async () => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
    });
    await onFakeTimers();
    modules = await load();
  });
  beforeEach(async () => {
    room = new Room(modules);
    await told(room);
  });
  afterEach(() => {
    room.calls.close();
    vi.clearAllTimers();
  });
  afterAll(() => vi.useRealTimers());
}

/** All that goes on without any time has gone on. */
export async function quiet(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** "pending", or what the promise came to. */
export async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = "pending";
  const note = (end: unknown): unknown => (outcome = end);
  void promise.then(note, note);
  await quiet();
  return outcome;
}

/** What a write is to save. */
export const textOf = (write: unknown): string =>
  new TextDecoder().decode((write as { bytes?: Uint8Array } | undefined)?.bytes);
