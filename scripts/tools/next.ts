// Next: a route handler that does a day's work, and the pages of docs/recipes/nextjs.md, built by both of its bundlers, and
// served by the production server.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { freePort } from "../../test/support/redis-server.ts";
import { addRecipe, expectRecipe, recipePackages } from "./next-recipe.ts";
import * as project from "./project.ts";
import type { Tool, Workplace } from "./tool.ts";

const route = `
import { everyday } from "../../everyday.mjs";
export async function GET(request) {
  return new Response(await everyday(new URL(request.url).searchParams.get("target")));
}
`;
const layout = `
export default function Layout({ children }) {
  return <html><body>{children}</body></html>;
}
`;
/** The documented line. */
const config = `export default { serverExternalPackages: ["${project.sqliteName}"] };\n`;
const env = { NEXT_TELEMETRY_DISABLED: "1", CI: "1" };

export const next: Tool = {
  name: "next",
  packages: ["next@16.4.6"],
  async test(folder, workplace) {
    const shop = join(folder, "shop");
    project.writeManifest(shop);
    await project.install(shop, [...next.packages, "react@19.3.1", "react-dom@19.3.1", ...recipePackages]);
    project.addHoldfast(shop, workplace);
    project.addPrograms(shop, "everyday");
    mkdirSync(join(shop, "app/everyday"), { recursive: true });
    writeFileSync(join(shop, "app/layout.jsx"), layout);
    writeFileSync(join(shop, "app/everyday/route.js"), route);
    addRecipe(shop);
    const sqlite = `sqlite:${join(folder, "store.db")}`;
    await project.command(shop, ["next", "build"], { env });
    await serve(shop, workplace.node(24), ["memory:", workplace.redisUrl, sqlite]);
    await testWithSqlitePackage(shop, ["memory:", sqlite, workplace.redisUrl], workplace);
    return "Turbopack; webpack";
  },
};

async function testWithSqlitePackage(
  shop: string,
  targets: readonly string[],
  workplace: Workplace,
): Promise<void> {
  await project.install(shop, [project.sqlitePackage]);
  project.addHoldfast(shop, workplace); // npm removes what package.json does not name
  writeFileSync(join(shop, "next.config.mjs"), config);
  for (const args of [
    ["next", "build"],
    ["next", "build", "--webpack"],
  ]) {
    await project.command(shop, args, { env });
    await serve(shop, workplace.node(20), targets);
  }
}

/** Starts the server, asks it for a day's work on each target, and tries the recipe on the last of them. */
async function serve(shop: string, node: string, targets: readonly string[]): Promise<void> {
  const port = await freePort();
  const args = [join(shop, "node_modules/next/dist/bin/next"), "start", "-p", String(port)];
  const server = spawn(node, args, {
    cwd: shop,
    env: { ...project.environment(), ...env, HOLDFAST_URL: targets.at(-1) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (data) => (log += String(data)));
  const exited = once(server, "exit");
  try {
    for (const target of targets) {
      const answer = await ask(`http://127.0.0.1:${port}/everyday?target=${encodeURIComponent(target)}`);
      const expected = `everyday: done on ${target.split(":")[0] ?? ""}`;
      if (answer !== expected) throw new Error(`next on ${node} answered: ${answer.slice(0, 500)}\n${log}`);
    }
    await expectRecipe(`http://127.0.0.1:${port}`).catch((error: unknown) => {
      throw new Error(`next on ${node} does not do what docs/recipes/nextjs.md says:\n${log}`, {
        cause: error,
      });
    });
  } finally {
    server.kill();
    await exited;
  }
}

/** Tries until the server listens. */
async function ask(url: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (tries === 600) throw error;
      await sleep(100);
    }
  }
}
