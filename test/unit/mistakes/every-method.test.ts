// Every public method that returns a promise rejects with the stack of the call that failed, and an error about one id names
// it. What is public is read from api/, so that a new method must be added here. In a view, the error names the id with its
// prefix: so each method gives its backend that id, and not the one without.
//
// Seen failing: a method without withCallersStack; a method that is missing here; an error without its id; a handle that takes the
// id without the prefix of its view.

import { once as serverEvent } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { open, type HoldfastError, type Leader, type Store } from "../../../src/index.ts";
import { reshard } from "../../../src/resharding/index.ts";
import { RedisBackend, stateful } from "../../../src/statefulpy/index.ts";
import { FaultyBackend, hang, MemoryBackend } from "../../../src/testing/index.ts";

let faulty: FaultyBackend;
let store: Store;
beforeEach(() => {
  faulty = new FaultyBackend(new MemoryBackend());
  store = open(faulty, { operationMs: 100, waitMs: 20 });
});
afterEach(() => store.close({ drainMs: 0 }));

/** What a call is made on is made before the backend falls silent. Returns the call. */
type Prepare = () => unknown;

const silent = (): void => void faulty.always("any", hang());
const state = () => store.state<{ n: number }>("the id", { initial: () => ({ n: 0 }) });
const lock = () => store.lock("the id");
const locks = () => store.lockAll(["the id", "another"]);
const semaphore = () => store.semaphore("the id", { permits: 2 });
const once = () => store.once("the id", { keepMs: 60_000 });
const leader = (): Leader => store.leader("the id");
const nothing = (): undefined => undefined;
const first = async (list: AsyncIterable<unknown>): Promise<void> => {
  for await (const entry of list) expect(entry).toBeDefined();
};

async function held<T>(acquired: Promise<T>, call: (held: T) => PromiseLike<unknown>): Promise<Prepare> {
  const grant = await acquired;
  return () => call(grant);
}

async function inTerm(
  call: (term: { proclaim(value: unknown): Promise<void> }) => Promise<unknown>,
): Promise<Prepare> {
  let resolve: (made: Prepare) => void;
  const made = new Promise<Prepare>((given) => (resolve = given));
  void leader()
    .run(async (term) => {
      resolve(() => call(term));
      await new Promise((over) => term.signal.addEventListener("abort", over));
    })
    .catch(nothing);
  return made;
}

/** Called with a silent backend. */
const unreachable: Record<string, Prepare | (() => Promise<Prepare>)> = {
  "Grant.release": () => held(lock().acquire(), (grant) => grant.release()),
  "Grant.extend": () => held(lock().acquire(), (grant) => grant.extend(1_000)),
  "Grant.asyncDispose": () => held(lock().acquire(), (grant) => grant[Symbol.asyncDispose]()),
  "GrantSet.release": () => held(locks().acquire(), (grant) => grant.release()),
  "GrantSet.asyncDispose": () => held(locks().acquire(), (grant) => grant[Symbol.asyncDispose]()),
  "PermitGrant.release": () => held(semaphore().acquire(), (grant) => grant.release()),
  "PermitGrant.asyncDispose": () => held(semaphore().acquire(), (grant) => grant[Symbol.asyncDispose]()),
  "Leader.current": () => leader().current(),
  "Leader.watch": () => first(leader().watch()),
  "Lock.acquire": () => lock().acquire(),
  "Lock.tryAcquire": () => lock().tryAcquire(),
  "Lock.adopt": () => held(lock().acquire(), (grant) => lock().adopt(grant.token())),
  "Lock.run": () => lock().run(nothing),
  "Lock.inspect": () => lock().inspect(),
  "Lock.forceRelease": () => lock().forceRelease(),
  "LockSet.acquire": () => locks().acquire(),
  "LockSet.tryAcquire": () => locks().tryAcquire(),
  "LockSet.run": () => locks().run(nothing),
  "Once.run": () => once().run(nothing),
  "Once.tryRun": () => once().tryRun(nothing),
  "Once.peek": () => once().peek(),
  "Once.forget": () => once().forget(),
  "Semaphore.acquire": () => semaphore().acquire(),
  "Semaphore.tryAcquire": () => semaphore().tryAcquire(),
  "Semaphore.run": () => semaphore().run(nothing),
  "Semaphore.inspect": () => semaphore().inspect(),
  "Semaphore.resize": () => semaphore().resize(3),
  "Semaphore.delete": () => semaphore().delete(),
  "State.load": () => state().load(),
  "State.read": () => state().read(),
  "State.save": () => state().save({ n: 1 }),
  "State.trySave": () => state().trySave({ n: 1 }),
  "State.update": () => state().update(nothing),
  "State.run": () => state().run(nothing),
  "State.touch": () => state().touch(5_000),
  "State.delete": () => state().delete(),
  "State.watch": () => first(state().watch()),
  "State.tryDelete": () => state().tryDelete(),
  "State.take": () => state().take(),
  "State.exists": () => state().exists(),
  "Store.ready": () => store.ready(),
  "Store.states": () => first(store.states()),
  "Store.count": () => store.count(),
  "Store.locks": () => first(store.locks()),
  "Store.loadMany": () => store.loadMany(["the id", "another"]),
  "Store.saveMany": () => store.saveMany([{ id: "the id", value: 1 }]),
  "Store.deleteMany": () => store.deleteMany(["the id"]),
  "Store.deleteAll": () => store.deleteAll({ idPrefix: "" }),
  "Store.transact": () => store.transact([state()], nothing),
  "Store.stateful": () => store.stateful("the id", () => ({}), nothing)(),
  "Term.proclaim": () => inTerm((term) => term.proclaim(1)),
};

/** A silent backend does not make them reject. */
const others: Record<string, { readonly code: string; readonly call: () => unknown }> = {
  "Store.close": { code: "INVALID_ARGUMENT", call: () => store.close({ drainMs: -1 }) },
  "Leader.run": {
    code: "INVALID_ARGUMENT",
    call: () => leader().run(() => leader().run(nothing)),
  },
};

const neverRejects: Record<string, string> = {
  "Term.resign": "a release without an answer is a warning: the term has ended",
  "Store.asyncDispose": "close() without options",
};

/** `Lock.acquire` … of the interfaces of api/, except for those that describe a user's own client. */
function publicMethods(report: string): string[] {
  const text = readFileSync(join(import.meta.dirname, "../../../api", report), "utf8");
  const types = text.matchAll(/^export (?:interface|abstract class) (\w+)(.*?)\{\n(.*?)^\}/gms);
  return [...types].flatMap(([, name = "", heritage = "", body = ""]) => {
    if (/ClientLike|ClusterLike|^Backend|Serializer/.test(name)) return [];
    const methods = [
      ...body.matchAll(/^ {4}(\w+)(?:<[^(]*>)?\(.*(?:Promise|Async(?:Iterable|Generator))</gm),
    ];
    const disposal = heritage.includes("AsyncDisposable") ? ["asyncDispose"] : [];
    return [...methods.map(([, method]) => method), ...disposal].map((method) => `${name}.${String(method)}`);
  });
}

async function failureOf(call: () => unknown): Promise<HoldfastError> {
  async function theUsersFunction(): Promise<void> {
    await call();
  }
  const [settled] = await Promise.allSettled([theUsersFunction()]);
  if (settled.status === "fulfilled") return expect.unreachable("should have been rejected");
  return settled.reason as HoldfastError;
}

function expectStack(error: HoldfastError, code: string): void {
  expect(error).toMatchObject({ code });
  expect(error.stack).toContain(`${error.name}: ${error.message}\n`);
  expect(error.stack).toContain("theUsersFunction");
}

test("all that api/ has is here", () => {
  const here = [unreachable, others, neverRejects].flatMap((cases) => Object.keys(cases));
  expect(here.sort()).toEqual(publicMethods("holdfast.api.md").sort());
});

const withoutId = /^Store\.(ready|states|count|locks|close|deleteAll)$/;
const inViews = Object.entries(unreachable).filter(([name]) => !withoutId.test(name));

test.each(inViews)("%s in a view, of a silent backend", async (name, prepare) => {
  const opened = store;
  store = opened.within("v:") as Store; // what `unreachable` calls is part of a view as well
  try {
    const call = /Grant|Term/.test(name) ? ((await prepare()) as Prepare) : prepare;
    silent();
    const error = await failureOf(call);
    expectStack(error, "UNREACHABLE");
    expect(error.message).toMatch(/"v:(the id|another)"/);
  } finally {
    store = opened;
  }
});

test.each(Object.entries(unreachable))("%s of a silent backend", async (name, prepare) => {
  const isPrepared = /Grant|Term/.test(name);
  const call = isPrepared ? ((await prepare()) as Prepare) : prepare;
  silent();
  const error = await failureOf(call);
  expectStack(error, "UNREACHABLE");
  if (!withoutId.test(name)) expect(error.message).toMatch(/"(the id|another)"/);
});

test.each(Object.entries(others))("%s", async (_, { code, call }) => {
  expectStack(await failureOf(call), code);
});

describe("holdfast/statefulpy and holdfast/reshard", () => {
  const server = createServer(); // what is not Redis is refused at once
  let port = 0;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await serverEvent(server, "listening");
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => server.close());

  const calls: Record<string, (backend: RedisBackend) => unknown> = {
    "StateBackend.acquireLock": (backend) => backend.acquireLock("the id"),
    "StateBackend.healthcheck": (backend) => backend.healthcheck(),
    "StateBackend.list": (backend) => first(backend.list()),
    "StateBackend.loadState": (backend) => backend.loadState("the id"),
    "StateBackend.saveState": (backend) => backend.saveState("the id", 1),
    "StateBackend.releaseLock": (backend) => backend.releaseLock("the id"),
    "StateBackend.owner": (backend) => backend.owner(() => backend.loadState("the id")),
    stateful: (backend) => stateful(nothing, { backend, id: "the id" })(),
  };
  test("all that api/ has is here", () => {
    const never = ["StateBackend.asyncDispose", "StateBackend.close"];
    const here = Object.keys(calls).filter((name) => name.includes("."));
    expect([...here, ...never].sort()).toEqual(publicMethods("statefulpy.api.md").sort());
  });

  test.each(Object.entries(calls))("%s", async (_, call) => {
    const backend = new RedisBackend({ redisUrl: `redis://127.0.0.1:${String(port)}` });
    const error = await failureOf(() => call(backend));
    expectStack(error, "UNREACHABLE");
    await backend.close();
  });

  test("reshard", async () => {
    const error = await failureOf(() => reshard({} as never, { target: "memory:" }));
    expectStack(error, "INVALID_ARGUMENT");
  });
});
