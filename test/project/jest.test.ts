// Jest as a new TypeScript project has it: Jest 30, ts-jest, no configuration but the preset. Its runtime is CommonJS and a
// realm of its own, so it gets the CommonJS build. On each Node, with a store in memory, on Redis and on SQLite.

import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack } from "../../scripts/pack.ts";
import { startRedis, type RedisServer } from "../support/redis-server.ts";
import { findNode } from "./node-versions.ts";

const root = join(import.meta.dirname, "../..");
const workplace = mkdtempSync(join(tmpdir(), "holdfast-jest-"));
const project = join(workplace, "project");
const packages = ["jest@30", "ts-jest@29", "typescript@5", "@types/jest@30", "@types/node@22"];

const suite = `
import { HoldfastError, LockTimeoutError, open } from "holdfast";
import { FaultyBackend, MemoryBackend } from "holdfast/testing";
import { PyTuple } from "holdfast/pickle";
import { connect } from "node:net";

const targets = JSON.parse(process.env["TARGETS"] ?? "[]") as string[];

test.each(targets)("%s", async (target) => {
  const store = open(target);
  const state = store.state("order", { initial: () => ({ lines: [1, { a: 2 }], n: 0 }) });
  await state.run((draft) => { draft.n += 1; });
  expect(await state.load()).toEqual({ lines: [1, { a: 2 }], n: 1 });
  await store.lock("a").run((outer) =>
    store.lock("a").run((inner) => expect(inner.fence).toBe(outer.fence)));
  const held = await store.lock("x").acquire();
  const error: unknown = await store.lock("x").acquire({ waitMs: 1 }).catch((reason: unknown) => reason);
  await held.release();
  expect(error).toBeInstanceOf(LockTimeoutError);
  expect(error).toBeInstanceOf(HoldfastError);
  const tuple = store.state<unknown>("tuple", { initial: () => null, serializer: "pickle" });
  await tuple.save(new PyTuple([1, 2]));
  expect(await tuple.load()).toBeInstanceOf(PyTuple);
  await store.close();
});

test("errors of Node itself, which are of another realm here, are understood", async () => {
  const store = open("redis://127.0.0.1:1", { operationMs: 300 });
  const error = (await store.ready().catch((reason: unknown) => reason)) as Error;
  expect([error.name, error.message]).toEqual(["UnavailableError", expect.stringContaining("(connect ECONNREFUSED 127.0.0.1:1)")]);
  await store.close();
});

test("an error of Node that a once remembers keeps its parts", async () => {
  const store = open(new FaultyBackend(new MemoryBackend()));
  const once = store.once("fetch", { keepMs: 60_000, errors: "remember" });
  const refused = () => new Promise<never>((_resolve, reject) => connect(1, "127.0.0.1").on("error", reject));
  await expect(once.run(refused)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(once.run(refused)).rejects.toMatchObject({ code: "ECONNREFUSED", message: "connect ECONNREFUSED 127.0.0.1:1" });
  await store.close();
});
`;

/** Why the project could not be made; without a registry, there is no Jest. */
let missing: string | undefined;
let redis: RedisServer | undefined;

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  mkdirSync(project);
  const files = {
    "package.json": JSON.stringify({ name: "fresh", private: true }),
    "jest.config.js": 'module.exports = { preset: "ts-jest" };',
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        module: "commonjs",
        target: "es2022",
        strict: true,
        esModuleInterop: true,
        skipLibCheck: true,
      },
    }),
    "store.test.ts": suite,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  const tarball = pack(workplace);
  const args = ["install", "--prefer-offline", "--no-audit", "--no-fund"];
  try {
    execFileSync("npm", [...args, ...packages, "@photostructure/sqlite@1", tarball], {
      cwd: project,
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (error) {
    const { stderr } = error as { readonly stderr?: Buffer };
    if (!/E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT)/.test(String(stderr))) throw error;
    missing = "Jest could not be installed: the registry cannot be reached";
    return;
  }
  redis = await startRedis();
}, 300_000);

afterAll(async () => {
  await redis?.stop();
  rmSync(workplace, { recursive: true, force: true });
});

describe.each([20, 22, 24])("Jest 30 and ts-jest on Node %i", (major) => {
  test("work without a configuration of Holdfast", async ({ skip }) => {
    if (missing !== undefined) skip(missing);
    const node = findNode(major);
    const database = String([20, 22, 24].indexOf(major));
    const targets = [
      "memory:",
      `${redis?.adminUrl ?? ""}/${database}`,
      `sqlite:${join(workplace, `${String(major)}.db`)}`,
    ];
    const env = { ...process.env, TARGETS: JSON.stringify(targets), CI: "true", NODE_ENV: "test" };
    const args = ["node_modules/jest/bin/jest.js", "--detectOpenHandles"];
    const { stderr } = await promisify(execFile)(node, args, { cwd: project, env, timeout: 100_000 });
    expect(stderr).toMatch(/^Tests: +5 passed, 5 total$/m);
    expect(stderr).not.toContain("open handle");
  }, 120_000);
});
