// Tests the package, as it is published, with the tools of its users: bundlers, frameworks and runtimes other than Node.
// Each is installed by npm at a pinned version into a temporary folder. One that cannot be installed is skipped, which is
// said in a line that begins with "skipped: ".
//   npm run test:tools [-- names]

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findNode } from "../test/project/node-versions.ts";
import { startRedis } from "../test/support/redis-server.ts";
import { pack } from "./pack.ts";
import { bundlers } from "./tools/bundlers.ts";
import { nestTools } from "./tools/nest.ts";
import { next } from "./tools/next.ts";
import { command, writeManifest } from "./tools/project.ts";
import { runtimeTools } from "./tools/runtimes.ts";
import { NotInstalled, type Tool, type Workplace } from "./tools/tool.ts";

const root = join(import.meta.dirname, "..");
const tools = [...runtimeTools, next, ...nestTools, ...bundlers];

const failed: string[] = [];
await main(chosen(process.argv.slice(2)));
if (failed.length > 0) {
  console.error(`failed with ${failed.join(", ")}`);
  process.exitCode = 1;
}

function chosen(names: readonly string[]): readonly Tool[] {
  const unknown = names.find((name) => tools.every((tool) => tool.name !== name));
  if (unknown !== undefined)
    throw new Error(`there is no tool "${unknown}"; there are: ${tools.map(({ name }) => name).join(", ")}`);
  return names.length === 0 ? tools : tools.filter(({ name }) => names.includes(name));
}

async function main(queue: readonly Tool[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
  const redis = await startRedis();
  try {
    const workplace = await workplaceIn(folder, redis.adminUrl);
    const waiting = [...queue];
    const work = async (): Promise<void> => {
      for (let tool = waiting.shift(); tool !== undefined; tool = waiting.shift())
        await tell(tool, join(folder, tool.name), workplace);
    };
    await Promise.all(Array.from({ length: 3 }, work)); // that of the runtimes waits more than it works
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function workplaceIn(folder: string, redisUrl: string): Promise<Workplace> {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  const tarball = pack(folder);
  const packed = join(folder, "packed");
  writeManifest(packed);
  await command(packed, ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", tarball]);
  return { packed, tarball, redisUrl, node: findNode };
}

async function tell(tool: Tool, folder: string, workplace: Workplace): Promise<void> {
  const begun = performance.now();
  const seconds = (): string => `${((performance.now() - begun) / 1_000).toFixed(1)} s`;
  mkdirSync(folder);
  try {
    console.log(`${tool.name}: ok: ${await tool.test(folder, workplace)} (${seconds()})`);
  } catch (error) {
    if (error instanceof NotInstalled) {
      console.log(`skipped: ${tool.name}: ${error.message}`);
      return;
    }
    failed.push(tool.name);
    console.error(`${tool.name}: FAILED (${seconds()}):`, error instanceof Error ? error.message : error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
