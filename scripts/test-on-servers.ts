// Runs what depends on the server on other servers than the installed one, one after another: what is in
// test/integration/redis, the contract suites, the oracle, and a minute of torture. A server that cannot be got is skipped,
// which is said.
//   npm run test:servers [-- names] [--seconds 20] [--report file]
//   npm run test:servers -- --get [names]     gets them, and says where they are; --all for those that are seldom run
// Names: test/support/programs/server-packages.ts. --report: what vitest writes as JSON, for one name.

import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { getServer, serverPackages, type ServerPackage } from "../test/support/programs/server-packages.ts";

const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    get: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    seconds: { type: "string", default: "20" },
    report: { type: "string" },
  },
});

const failed = chosen().filter((server) => !passes(server));
if (failed.length > 0) {
  console.error(`failed on ${failed.map(({ name }) => name).join(", ")}`);
  process.exitCode = 1;
}

function chosen(): readonly ServerPackage[] {
  if (values.all) return serverPackages;
  if (positionals.length === 0) return serverPackages.filter(({ isDefault }) => isDefault);
  return positionals.map((name) => {
    const found = serverPackages.find((server) => server.name === name);
    if (found !== undefined) return found;
    const known = serverPackages.map((server) => server.name).join(", ");
    throw new Error(`there is no server "${name}"; there are: ${known}`);
  });
}

/** One that cannot be got does not fail. */
function passes(server: ServerPackage): boolean {
  const program = got(server);
  if (program === undefined) return true;
  console.log(`${server.name}: ${execFileSync(program, ["--version"], { encoding: "utf8" }).trim()}`);
  if (values.get) console.log(program);
  return values.get || [isTested(program), isTortured(program)].every(Boolean);
}

function got(server: ServerPackage): string | undefined {
  try {
    return getServer(server);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const why = (stderr ?? message).trim().split("\n").at(-1) ?? "";
    console.log(`skipped: ${server.name}, which cannot be got here: ${why}`);
    return undefined;
  }
}

function isTested(program: string): boolean {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${values.report ?? ""}`];
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "servers"];
  return isDone([...vitest, ...(values.report === undefined ? [] : reporters)], program);
}

function isTortured(program: string): boolean {
  return isDone(
    [join(root, "test/torture/main.ts"), "--backend", "redis", "--seconds", values.seconds],
    program,
  );
}

function isDone(args: readonly string[], program: string): boolean {
  const env = { ...process.env, HOLDFAST_TEST_SERVER: program };
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}
