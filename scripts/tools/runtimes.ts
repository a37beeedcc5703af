// Runtimes other than Node, by the binaries that their npm packages bring: the programs of test/tools on the package as npm
// installs it, and the contract suites on the sources, which both runtimes run as they are.

import { existsSync } from "node:fs";
import { join } from "node:path";

import * as project from "./project.ts";
import { NotInstalled, type Tool } from "./tool.ts";

const root = join(import.meta.dirname, "../..");

interface Runtime {
  readonly name: string;
  readonly package: string;
  /** The packages of the platforms that have been tried; no script of a package has to run. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

const runtimes: readonly Runtime[] = [
  {
    name: "bun",
    package: "bun@1.4.5",
    binaries: {
      "linux-x64": "@oven/bun-linux-x64/bin/bun",
      "linux-arm64": "@oven/bun-linux-aarch64/bin/bun",
      "darwin-x64": "@oven/bun-darwin-x64/bin/bun",
      "darwin-arm64": "@oven/bun-darwin-aarch64/bin/bun",
    },
    args: ["run"],
  },
  {
    name: "deno",
    package: "deno@2.9.6",
    binaries: {
      "linux-x64": "@deno/linux-x64-glibc/deno",
      "linux-arm64": "@deno/linux-arm64-glibc/deno",
      "darwin-x64": "@deno/darwin-x64/deno",
      "darwin-arm64": "@deno/darwin-arm64/deno",
    },
    args: ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"],
  },
];

export const runtimeTools: readonly Tool[] = runtimes.map((runtime) => ({
  name: runtime.name,
  packages: [runtime.package],
  async test(folder, workplace) {
    const shop = join(folder, "shop");
    project.writeManifest(shop, { type: "module" });
    await project.install(shop, [runtime.package, ...project.clientPackages]);
    project.addHoldfast(shop, workplace);
    project.addPrograms(shop, "everyday", "main", "clients");
    const binary = await binaryOf(runtime, shop);
    const run = [binary, ...runtime.args];
    for (const target of ["memory:", workplace.redisUrl, `sqlite:${join(folder, "store.db")}`])
      await project.expectLine(
        shop,
        [...run, "main.mjs", target],
        `everyday: done on ${target.split(":")[0] ?? ""}`,
      );
    await project.expectLine(shop, [...run, "clients.mjs", workplace.redisUrl], "clients: done");
    return `the programs; contract ${(await runSuites(run)).join("; ")}`;
  },
}));

/** A process for each backend, since they wait more than they work. Returns the line with the counts, and what ran twice. */
async function runSuites(run: readonly string[]): Promise<string[]> {
  const outputs = ["memory", "SQLite", "Redis"].map((backend) =>
    project.command(root, [...run, "test/tools/suites.ts", backend]),
  );
  const told = (line: string): boolean => /^(suites on|once more:) /.test(line);
  return (await Promise.all(outputs)).flatMap((output) => output.split("\n").filter(told));
}

/** The binary of this platform, if there is one that runs. */
async function binaryOf({ name, binaries }: Runtime, shop: string): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const path = join(shop, "node_modules", binaries[platform] ?? "none");
  if (binaries[platform] === undefined || !existsSync(path))
    throw new NotInstalled(`npm brought no ${name} for ${platform}`);
  try {
    await project.command(shop, [path, "--version"]);
  } catch (error) {
    throw new NotInstalled(`its binary does not run here: ${(error as Error).message.split("\n")[1] ?? ""}`);
  }
  return path;
}
