// What must compile and what must not; checked by `npm run types`, never run.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unused-expressions -- used for their types */
/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-confusing-void-expression -- wrong on purpose, or type algebra */

import type { createClient } from "@redis/client";
import type { Redis as Redis5 } from "ioredis";
import type { Redis as Redis6 } from "ioredis-6";
import type { Redis as Valkey } from "iovalkey";
import type { createClient as createClient5 } from "redis-client-5";
import {
  HoldfastError,
  open,
  UnavailableError,
  type ErrorCode,
  type Grant,
  type Lock,
  type LockInfo,
  type Outcome,
  type Revision,
  type Serializer,
  type Snapshot,
  type State,
  type StateInfo,
  type Store,
  type UpdateContext,
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

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when both are the very same type. */
declare function same<A, B>(yes: Equal<A, B>): void;

interface Stock {
  left: number;
  name?: string;
}

export async function opening(backend: Backend, client: ReturnType<typeof createClient>) {
  same<ReturnType<typeof open>, Store>(true);
  open();
  open("redis://localhost");
  open(new URL("redis://localhost"));
  open(client);
  open(backend);
  open(null as unknown as ReturnType<typeof createClient5>);
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

export async function withInitial(store: Store, grant: Grant) {
  const stock = store.state("stock", { initial: () => ({ left: 500 }) });
  same<typeof stock, State<{ left: number }, { left: number }>>(true);
  same<Awaited<ReturnType<typeof stock.load>>, { left: number }>(true);
  same<Awaited<ReturnType<typeof stock.read>>, Snapshot<{ left: number }> | undefined>(true);

  const after = await stock.update((draft, turn) => {
    same<typeof draft, { left: number }>(true);
    same<typeof turn, UpdateContext>(true);
    same<typeof turn.fence, number>(true);
    same<typeof turn.signal, AbortSignal>(true);
    draft.left -= 1;
  });
  same<typeof after, { left: number }>(true);
  await stock.update(() => ({ left: 5 }));
  await stock.update(async (draft) => {
    draft.left = await Promise.resolve(1);
  });
  await stock.update(async () => ({ left: 5 }), {
    grant,
    waitMs: 5,
    ttlMs: "keep",
    signal: AbortSignal.abort(),
  });

  same<Awaited<ReturnType<typeof stock.save>>, Revision>(true);
  same<Awaited<ReturnType<typeof stock.trySave>>, Revision | null>(true);
  same<Awaited<ReturnType<typeof stock.touch>>, boolean>(true);
  same<Awaited<ReturnType<typeof stock.delete>>, void>(true);
  await stock.save({ left: 1 }, { ifRevision: "absent", ttlMs: 1_000, grant });
  await stock.trySave({ left: 1 }, { ifRevision: 5, ttlMs: "none" });
  await stock.update(() => ({ left: 1 }), { ttlMs: { whenNew: 60_000 } });
  await stock.delete({ ifRevision: 5 });

  // @ts-expect-error -- of another type
  await stock.save({ right: 1 });
  // @ts-expect-error -- of another type
  await stock.update(() => ({ left: "five" }));
  // @ts-expect-error -- a draft has no such property
  await stock.update((draft) => void (draft.right = 1));
  // @ts-expect-error -- misspelt
  await stock.save({ left: 1 }, { ifrevision: 5 });
  // @ts-expect-error -- neither a revision nor "absent"
  await stock.save({ left: 1 }, { ifRevision: "present" });
  // @ts-expect-error -- an update has no condition
  await stock.update(() => undefined, { ifRevision: 5 });
  // @ts-expect-error -- not a life
  await stock.save({ left: 1 }, { ttlMs: "forever" });
  // @ts-expect-error -- not a grant
  await stock.save({ left: 1 }, { grant: 5 });
}

export async function withoutInitial(store: Store) {
  const stock = store.state<Stock>("stock");
  same<typeof stock, State<Stock>>(true);
  same<Awaited<ReturnType<typeof stock.load>>, Stock | undefined>(true);
  same<Awaited<ReturnType<typeof stock.read>>, Snapshot<Stock> | undefined>(true);
  const after = await stock.update((draft) => {
    same<typeof draft, Stock | undefined>(true);
    // @ts-expect-error -- it may be absent
    draft.left = 1;
    return { left: (draft?.left ?? 0) + 1 };
  });
  same<typeof after, Stock | undefined>(true);
  await stock.update((draft) => draft);
  // @ts-expect-error -- it may be absent
  (await stock.load()).left;

  const untyped = store.state("anything");
  same<Awaited<ReturnType<typeof untyped.load>>, unknown>(true);
  await untyped.save({ any: ["thing"] });

  const lives = store.state<number>("lives", { ttlMs: 5 });
  store.state<number>("window", { ttlMs: { whenNew: 60_000 } });
  same<Awaited<ReturnType<typeof lives.load>>, number | undefined>(true);
  const typed = store.state<Stock>("typed", { initial: () => ({ left: 1 }) });
  same<typeof typed, State<Stock, Stock>>(true);
  // @ts-expect-error -- initial is of another type
  store.state<Stock>("wrong", { initial: () => ({ right: 1 }) });
  // @ts-expect-error -- initial is a function
  store.state("wrong", { initial: { left: 1 } });
  // @ts-expect-error -- misspelt
  store.state("wrong", { ttl: 5 });
  // @ts-expect-error -- ids are strings
  store.state(5);
}

export async function primitives(store: Store) {
  const count = store.state("count", { initial: () => 0 });
  same<typeof count, State<number, number>>(true);
  same<Awaited<ReturnType<typeof count.update>>, number>(true);
  await count.update((n) => n + 1);
  // @ts-expect-error -- numbers only
  await count.update((n) => `${n}`);
}

export async function results(store: Store) {
  const stock = store.state("stock", { initial: (): Stock => ({ left: 500 }) });
  const sold = await stock.run((draft) => {
    if (draft.left === 0) return false;
    draft.left -= 1;
    return true;
  });
  same<typeof sold, boolean>(true);
  same<Awaited<ReturnType<typeof stock.run<Promise<string>>>>, string>(true);
  const text = await stock.run(async (draft) => String(draft.left));
  same<typeof text, string>(true);
  const nothing = await stock.run((draft) => {
    draft.left = 0;
  });
  same<typeof nothing, void>(true);

  const absent = await store.state<Stock>("absent").run((draft) => draft?.left);
  same<typeof absent, number | undefined>(true);
  // @ts-expect-error -- it may be absent
  await store.state<Stock>("absent").run((draft) => draft.left);
  // @ts-expect-error -- a number cannot be changed in place: the draft is never
  await store.state("count", { initial: () => 0 }).run((n) => n.toFixed());
}

export async function statefulFunctions(store: Store) {
  const next = store.stateful(
    "invoice-number",
    () => ({ last: 0 }),
    (state, year: number, suffix?: string) => {
      same<typeof state, { last: number }>(true);
      state.last += 1;
      return `${year}-${state.last}${suffix ?? ""}`;
    },
  );
  same<typeof next, (year: number, suffix?: string) => Promise<string>>(true);
  same<Awaited<ReturnType<typeof next>>, string>(true);
  await next(2026);
  await next(2026, "a");
  // @ts-expect-error -- an argument is missing
  await next();
  // @ts-expect-error -- of another type
  await next("2026");

  const later = store.stateful(
    "later",
    () => ({ n: 0 }),
    async (state) => (state.n += 1),
  );
  same<typeof later, () => Promise<number>>(true); // not a promise of a promise
  const numeric = (n: number): number => n;
  // @ts-expect-error -- a state that is no object cannot be changed in place
  store.stateful("n", () => 0, numeric);
  const other = (state: { m: number }): number => state.m;
  // @ts-expect-error -- the function's state is of another type
  store.stateful("n", () => ({ n: 0 }), other);
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

export function errors(error: unknown): string {
  if (!(error instanceof HoldfastError)) return "not ours";
  same<typeof error.code, ErrorCode>(true);
  same<typeof error.outcome, Outcome>(true);
  if (error instanceof UnavailableError) same<typeof error.code, UnavailableCode>(true);
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "LOCK_TIMEOUT":
    case "LOCK_LOST":
    case "CONFLICT":
    case "UNREACHABLE":
    case "ACCESS_DENIED":
    case "READ_ONLY":
    case "OUT_OF_MEMORY":
    case "SERIALIZATION":
    case "CORRUPT_STATE":
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
