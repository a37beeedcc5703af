// Two copies of the package in one process: the ES module and the CommonJS build. What must be one per process is one.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type * as Holdfast from "../../src/index.ts";
import type * as Testing from "../../src/testing/index.ts";
import type * as AsyncContext from "../../src/ownership/async-context.ts";

type Api = typeof Holdfast;

const root = join(import.meta.dirname, "../..");
const require = createRequire(import.meta.url);
const stores: Holdfast.Store[] = [];
let module: Api;
let commonJs: Api;

const fromModule = async (file: string): Promise<unknown> => import(join(root, "dist", file));
const fromCommonJs = (file: string): unknown => require(join(root, "dist/cjs", file));

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  module = (await fromModule("index.js")) as Api;
  commonJs = fromCommonJs("index.js") as Api;
}, 120_000);

beforeEach(() => {
  stores.push(module.open("memory:"), commonJs.open("memory:"));
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});
afterAll(() => expect(stores).toEqual([]));

function both(): [Holdfast.Store, Holdfast.Store] {
  const [ours, theirs] = stores;
  if (ours === undefined || theirs === undefined) throw new Error("there are no stores");
  return [ours, theirs];
}

test("they are two copies", () => {
  expect(commonJs.LockLostError).not.toBe(module.LockLostError);
});

test("[L4] a lock is re-entered through a function that the other copy runs", async () => {
  const [ours, theirs] = both();
  const fences = await ours.lock("a").run((outer) =>
    theirs.lock("b").run(() =>
      theirs.state("s", { initial: () => ({ n: 0 }) }).run(async (draft) => {
        draft.n += 1;
        return ours.lock("a").run((inner) => [outer.fence, inner.fence]);
      }),
    ),
  );
  expect(fences[1]).toBe(fences[0]);
});

test("they share the async context", async () => {
  const file = "ownership/async-context.js";
  const { context } = (await fromModule(file)) as typeof AsyncContext;
  expect((fromCommonJs(file) as typeof AsyncContext).context).toBe(context);
});

test("errors of one are instances of the classes of the other, and of no others", async () => {
  const [, theirs] = both();
  const held = await theirs.lock("a").acquire();
  const error = await theirs
    .lock("a")
    .acquire({ waitMs: 0 })
    .catch((thrown: unknown) => thrown);
  await held.release();
  expect(error).toBeInstanceOf(module.LockTimeoutError);
  expect(error).toBeInstanceOf(module.HoldfastError);
  expect(error).not.toBeInstanceOf(module.LockLostError);
  class Own extends module.LockTimeoutError {}
  expect(error).not.toBeInstanceOf(Own);
  expect(new Own("mine")).toBeInstanceOf(Own);
  expect(new Own("mine")).toBeInstanceOf(commonJs.LockTimeoutError);
  for (const value of [null, undefined, "text", {}, Object.create(null), new Error("x"), () => 0])
    expect(value).not.toBeInstanceOf(module.HoldfastError);
});

test("an error of one that a function under a lock of the other throws arrives unchanged", async () => {
  const [ours, theirs] = both();
  const thrown = await theirs.lock("a").run(async () => {
    const held = await ours.lock("x").acquire();
    const error = await ours
      .lock("x")
      .acquire({ waitMs: 0 })
      .catch((reason: unknown) => reason);
    await held.release();
    const again = theirs.lock("b").run(() => Promise.reject(error as Error));
    return [error, await again.catch((reason: unknown) => reason)];
  });
  expect(thrown[0]).toBeInstanceOf(commonJs.LockTimeoutError);
  expect(thrown[1]).toBe(thrown[0]);
});

test("a backend of one serves a store of the other, but not a store of each", async () => {
  const { FaultyBackend, MemoryBackend } = fromCommonJs("testing/index.js") as typeof Testing;
  const backend = new FaultyBackend(new MemoryBackend());
  const store = module.open(backend);
  stores.push(store);
  expect(await store.state("n", { initial: () => 1 }).update((n) => n + 1)).toBe(2);
  expect(() => commonJs.open(backend)).toThrow("already belongs to a store");
});
