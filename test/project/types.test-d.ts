// What must compile and what must not; checked by `npm run types`, never run.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unused-expressions -- used for their types */

import type { createClient, createSentinel } from "@redis/client";
import type { Redis as Redis5 } from "ioredis";
import type { Redis as Redis6 } from "ioredis-6";
import type { Redis as Valkey } from "iovalkey";
import type { createClient as createClient5 } from "redis-client-5";
import {
  HoldfastError,
  id,
  open,
  UnavailableError,
  type ErrorCode,
  type Grant,
  type GrantSet,
  type IdPart,
  type Leader,
  type LeaderInfo,
  type Lock,
  type LockInfo,
  type LockSet,
  type Once,
  type Outcome,
  type Serializer,
  type StateInfo,
  type Store,
  type StoreView,
  type Term,
  type UnavailableCode,
} from "holdfast";
import type { Backend } from "holdfast/backend";
import {
  FaultyBackend,
  LateCopy,
  lockSuite,
  loseReply,
  stateSuite,
  type Fault,
  type SuiteHooks,
  type SuiteOptions,
} from "holdfast/testing";

import { same } from "./same-type.ts";

export async function opening(backend: Backend, client: ReturnType<typeof createClient>) {
  same<ReturnType<typeof open>, Store>(true);
  open();
  open("redis://localhost");
  open(new URL("redis://localhost"));
  open(client);
  open(backend);
  open(null as unknown as ReturnType<typeof createClient5>);
  open(null as unknown as ReturnType<typeof createSentinel>);
  open(null as unknown as Redis5);
  open(null as unknown as Redis6);
  open(null as unknown as Valkey);
  open("memory:", {
    prefix: "p:",
    serializer: "json",
    leaseMs: 1,
    waitMs: Infinity,
    operationMs: 1,
    maxStateBytes: 1,
  });
  // @ts-expect-error -- not a target
  open(5);
  // @ts-expect-error -- not a client
  open({});
  // @ts-expect-error -- misspelt
  open("memory:", { leaseMS: 1_000 });
  // @ts-expect-error -- not a duration
  open("memory:", { leaseMs: "1s" });
  // @ts-expect-error -- there is no such serializer
  open("memory:", { serializer: "yaml" });

  await using store = open();
  same<Awaited<ReturnType<Store["ready"]>>, Store>(true);
  for await (const state of store.states({ idPrefix: "a" })) same<typeof state, StateInfo>(true);
  for await (const lock of store.locks()) same<typeof lock, LockInfo>(true);
  await store.close({ drainMs: 0 });
  // @ts-expect-error -- no such option
  await store.close({ waitMs: 0 });
}

export async function views(store: Store) {
  const view = store.within("a:");
  same<typeof view, StoreView>(true);
  const either: StoreView[] = [store, view.within("b:")];
  for await (const state of either[0]!.states()) same<typeof state, StateInfo>(true);
  const withInitial = view.state("n", { initial: () => 0 });
  same<Awaited<ReturnType<typeof withInitial.load>>, number>(true);
  const without = view.state<number>("n");
  same<Awaited<ReturnType<typeof without.load>>, number | undefined>(true);
  await using set = await view.lockAll(["x", "y"]).acquire();
  same<typeof set, GrantSet<"x" | "y">>(true);
  const total: number = await view.transact([withInitial], ([n]) => n + 1);
  same<typeof total, number>(true);
  // The life of the store is the store's alone.
  same<Extract<keyof StoreView, "ready" | "close" | typeof Symbol.asyncDispose>, never>(true);

  same<ReturnType<typeof id>, string>(true);
  const parts: readonly IdPart[] = ["user", 42, 42n];
  id(...parts, "user", 42, 42n, view.id("a"));
  // @ts-expect-error -- not a part
  id("user", undefined);
  // @ts-expect-error -- not a part
  id("user", true);
}

export async function onceAndLeader(store: Store) {
  const once = store.once("x", { keepMs: Infinity, errors: "remember", minHoldMs: 0, fingerprint: { a: 1 } });
  same<typeof once, Once>(true);
  const ran = await once.run(async ({ fence, attempt, signal }) => ({
    fence,
    attempt,
    over: signal.aborted,
  }));
  same<typeof ran, { fence: number; attempt: number; over: boolean }>(true);
  const tried = await once.tryRun(() => 5);
  same<typeof tried, { readonly ran: boolean; readonly value: number } | null>(true);
  // @ts-expect-error -- it may be running
  tried.value;
  // @ts-expect-error -- how long must be said
  store.once("x", {});
  // @ts-expect-error -- no such way
  store.once("x", { keepMs: 1, errors: "forget" });
  // @ts-expect-error -- it never waits
  await once.tryRun(() => 5, { waitMs: 5 });

  const leader = store.leader<string>("x", { leaseMs: 5_000 });
  same<typeof leader, Leader<string>>(true);
  const led = await leader.run(
    async (term) => {
      same<typeof term, Term<string>>(true);
      // @ts-expect-error -- not what it proclaims
      await term.proclaim(5);
      return term.since;
    },
    { value: "a", signal: AbortSignal.abort() },
  );
  same<typeof led, Date>(true);
  for await (const change of leader.watch({ intervalMs: 10 }))
    same<typeof change, LeaderInfo<string> | null>(true);
  // @ts-expect-error -- it waits without end
  await leader.run(() => 5, { waitMs: 5 });
}

export async function locks(store: Store) {
  const lock = store.lock("invoice:7", { leaseMs: 5_000, waitMs: 0 });
  same<typeof lock, Lock>(true);
  await using grant = await lock.acquire({ waitMs: 5, leaseMs: 5, signal: AbortSignal.abort() });
  same<typeof grant, Grant>(true);
  same<Awaited<ReturnType<Grant["release"]>>, boolean>(true);
  const tried = await lock.tryAcquire({ leaseMs: 5, grant });
  same<typeof tried, Grant | null>(true);
  // @ts-expect-error -- it may not be held
  await tried.release();
  // @ts-expect-error -- it never waits
  await lock.tryAcquire({ waitMs: 5 });
  // @ts-expect-error -- read-only
  grant.fence = 5;

  const result = await lock.run(async (held) => {
    same<typeof held, Grant>(true);
    return { sent: true };
  });
  same<typeof result, { sent: boolean }>(true);
  const plain = await lock.run(() => 5);
  same<typeof plain, number>(true);

  const info = await lock.inspect();
  same<typeof info, LockInfo | null>(true);
  if (info !== null) {
    if ("foreign" in info.holder) same<typeof info.holder.foreign, string>(true);
    else same<typeof info.holder.pid, number>(true);
    // @ts-expect-error -- it may be a foreign client
    info.holder.pid;
  }
  same<Awaited<ReturnType<Lock["forceRelease"]>>, boolean>(true);
  await lock.forceRelease({ ifFence: grant.fence });
}

export async function severalLocks(store: Store, ids: readonly string[]) {
  const several = store.lockAll(["from", "to"], { maxHoldMs: 5_000 });
  same<typeof several, LockSet<"from" | "to">>(true);
  await using grant = await several.acquire({ waitMs: 5 });
  same<typeof grant, GrantSet<"from" | "to">>(true);
  same<typeof grant.fences.from, number>(true);
  // @ts-expect-error -- not one of the ids
  grant.fences.elsewhere;
  await store.lock("from").acquire({ grant });
  await store.state("to").save(5, { grant });
  const any: LockSet = store.lockAll(ids);
  const result = await any.run((held) => [held.fences["x"], held.signal] as const);
  same<typeof result, readonly [number | undefined, AbortSignal]>(true);
  const tried = await any.tryAcquire({ leaseMs: 5, grant });
  same<typeof tried, GrantSet | null>(true);
  // @ts-expect-error -- it never waits
  await any.tryAcquire({ waitMs: 5 });
}

export function errors(error: unknown): string {
  if (!(error instanceof HoldfastError)) return "not ours";
  same<typeof error.code, ErrorCode>(true);
  same<typeof error.outcome, Outcome>(true);
  if (error instanceof UnavailableError) same<typeof error.code, UnavailableCode>(true);
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "LOCK_TIMEOUT":
    case "DEADLOCK":
    case "LOCK_LOST":
    case "CONFLICT":
    case "UNREACHABLE":
    case "ACCESS_DENIED":
    case "READ_ONLY":
    case "OUT_OF_MEMORY":
    case "SERIALIZATION":
    case "CORRUPT_STATE":
    case "SEAL":
    case "VALIDATION":
    case "VERSION":
    case "CLOSED":
      return error.message;
  }
  const none: never = error.code; // the set of codes is closed
  return none;
}

export function extending(backend: Backend, test: SuiteOptions["test"]) {
  const text: Serializer = {
    name: "text",
    serialize: (value) => new TextEncoder().encode(String(value)),
    deserialize: (bytes) => new TextDecoder().decode(bytes),
  };
  open("memory:", { serializer: text });
  const hooks: SuiteHooks = { deleteLock: () => Promise.resolve() };
  const options: SuiteOptions = { test, createBackend: () => backend, pushes: true, hooks };
  stateSuite(options);
  lockSuite({ ...options, createBackend: async () => backend, skip: (name, reason) => `${name} ${reason}` });
  // @ts-expect-error -- a suite must know whether wakes are pushed
  stateSuite({ test, createBackend: () => backend });
  // @ts-expect-error -- no such hook
  lockSuite({ ...options, hooks: { deleteLocks: () => Promise.resolve() } });

  const faulty = new FaultyBackend(backend);
  const mine: Fault = async ({ carryOut }) => carryOut();
  faulty.once("releaseLock", loseReply(), 2);
  faulty.always("any", mine).cancel();
  faulty.once("writeState", new LateCopy().fault);
  // @ts-expect-error -- no such call
  faulty.once("release", mine);
  open(faulty);
}
