// The store without a target, in processes of a monorepo: where it is, what is said about it, and when it is refused.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { buildIfStale, ending, root, type Ran } from "../../project/examples/run.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-monorepo-")));
const path = join(folder, ".holdfast/store.db");
const announcement = `holdfast: using ${path}. For another store, set HOLDFAST_URL or call open(target).\n`;
const open = `import { open } from ${JSON.stringify(join(root, "dist/index.js"))};`;
const count = `${open}
  const stores = [open(), open()];
  for (const store of stores)
    console.log(await store.state("count", { initial: () => 0 }).update((n) => n + 1));`;

beforeAll(() => {
  buildIfStale();
  writeFileSync(join(folder, "package.json"), '{ "workspaces": ["packages/*"] }');
  for (const name of ["web", "worker"]) {
    mkdirSync(join(folder, "packages", name, "src"), { recursive: true });
    writeFileSync(join(folder, "packages", name, "package.json"), "{}");
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs node in a package of the monorepo. */
function node(at: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return ending(
    spawn(process.execPath, args, {
      cwd: join(folder, at),
      env: { ...process.env, HOLDFAST_URL: "", NODE_ENV: "", ...env },
      stdio: "pipe",
    }),
  );
}
const evaluate = (at: string, code: string, env?: NodeJS.ProcessEnv): Promise<Ran> =>
  node(at, ["--input-type=module", "-e", code], env);

test("packages of a monorepo share one file, which each process names once on stderr", async () => {
  expect(await evaluate("packages/web/src", count)).toEqual({
    code: 0,
    stdout: "1\n2\n",
    stderr: announcement,
  });
  expect(await evaluate("packages/worker", count)).toEqual({
    code: 0,
    stdout: "3\n4\n",
    stderr: announcement,
  });
  expect(readdirSync(join(folder, "packages/web"))).toEqual(["package.json", "src"]);
});

test("the command line uses the same file, and its output is not disturbed", async () => {
  await evaluate("packages/web", `${open} await open().state("told").save("yes");`);
  const cli = join(root, "dist/cli/main.js");
  const ran = await node("packages/worker", [cli, "get", "told", "--json"]);
  expect(JSON.parse(ran.stdout)).toMatchObject({ value: "yes" });
  expect(ran).toMatchObject({ code: 0, stderr: announcement });
});

test("with HOLDFAST_URL, nothing is said", async () => {
  const env = { HOLDFAST_URL: `sqlite:${join(folder, "other.db")}` };
  expect(await evaluate("packages/web", count, env)).toEqual({ code: 0, stdout: "1\n2\n", stderr: "" });
});

test("a reader of stderr that is gone does no harm", async () => {
  const child = spawn("sh", ["-c", `exec "$0" --input-type=module -e "$1" 2>&-`, process.execPath, count], {
    cwd: join(folder, "packages/web"),
    env: { ...process.env, HOLDFAST_URL: "" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(await ending(child)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\n\d+\n$/) as string,
  });
});

test("in production, a module that opens a store and does not use it can be imported: a build does", async () => {
  const env = { NODE_ENV: "production" };
  const imported = await evaluate("packages/web", `${open} open().state("x"); console.log("built");`, env);
  expect(imported).toEqual({ code: 0, stdout: "built\n", stderr: "" });
  const used = await evaluate("packages/web", `${open} await open().state("x").load();`, env);
  expect(used.code).toBe(1);
  expect(used.stderr).toMatch(/InvalidArgumentError: .*NODE_ENV=production.*HOLDFAST_URL/);
});

test("in a folder that was deleted, the first use says so", async () => {
  const code = `${open} import { mkdtempSync, rmdirSync } from "node:fs"; import { resolve } from "node:path";
    const gone = resolve(mkdtempSync("gone-")); process.chdir(gone); rmdirSync(gone);
    const store = open();
    await store.ready().catch((error) => console.log(error.code, error.message));`;
  const { code: status, stdout } = await evaluate("packages/web", code);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ACCESS_DENIED .*no working directory.*ENOENT.*HOLDFAST_URL/);
});
