// The bundlers: each builds the programs of test/tools with no configuration for holdfast, and what it built runs alone, on
// memory, SQLite and Redis, in the oldest and the newest Node. None of the optional packages is installed then. Once more
// with them: the user's clients in the bundle, and Node 20's SQLite left outside by the line of docs/supported-versions.md.
// The command of docs/recipes/bundlers.md is run as it stands there.

import { existsSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { configs, type Bundler, type Format } from "./bundler-configs.ts";
import * as project from "./project.ts";
import { writeBundled } from "./recipe-files.ts";
import type { Tool, Workplace } from "./tool.ts";

export const bundlers: readonly Tool[] = configs.map((bundler) => ({
  name: bundler.name,
  packages: bundler.packages,
  test: (folder, workplace) => testBundler(bundler, folder, workplace),
}));

async function testBundler(bundler: Bundler, folder: string, workplace: Workplace): Promise<string> {
  const shop = join(folder, "shop");
  project.writeManifest(shop, { type: "module" });
  await project.install(shop, bundler.packages);
  project.addHoldfast(shop, workplace);
  project.addPrograms(shop, "everyday", "main", "clients");
  for (const [name, text] of Object.entries(bundler.files)) writeFileSync(join(shop, name), text);
  for (const format of bundler.formats) {
    const built = await build(shop, format, "main");
    for (const major of [20, 24]) {
      const node = workplace.node(major);
      for (const target of ["memory:", workplace.redisUrl, ...(major === 20 ? [] : [sqliteIn(built)])])
        await expectEveryday(built, node, target);
    }
  }
  await testRecipe(bundler, shop, workplace);
  await testOptionalPackages(bundler, shop, workplace);
  return bundler.formats.map(({ name }) => name).join("; ");
}

/** In a project as `npm init -y` makes it, which is CommonJS. */
async function testRecipe({ name }: Bundler, shop: string, workplace: Workplace): Promise<void> {
  const recipe = join(shop, "../recipe");
  project.writeManifest(recipe, { type: "commonjs" });
  symlinkSync(join(shop, "node_modules"), join(recipe, "node_modules"), "dir");
  await project.command(recipe, ["sh", "-c", writeBundled(recipe, name)]);
  const built = readdirSync(join(recipe, "dist")).find((file) => file.startsWith("worker."));
  const url = `HOLDFAST_URL=${workplace.redisUrl}`;
  for (const major of [20, 24]) {
    const args = ["env", url, workplace.node(major), join("dist", built ?? "worker")];
    await project.expectLine(recipe, args, "did 2 parts");
  }
}

async function testOptionalPackages(bundler: Bundler, shop: string, workplace: Workplace): Promise<void> {
  const node = workplace.node(20);
  await project.install(shop, [...project.clientPackages, project.sqlitePackage]);
  project.addHoldfast(shop, workplace); // npm removes what package.json does not name
  for (const format of bundler.formats) {
    if (format.takesCommonJs) {
      const built = await build(shop, format, "clients", project.sqliteName);
      await project.expectLine(built.folder, [node, built.file, workplace.redisUrl], "clients: done");
    }
    const built = await build(shop, format, "main", project.sqliteName);
    await expectEveryday(withPackages(built, shop), node, sqliteIn(built));
  }
}

interface Built {
  readonly folder: string;
  readonly file: string;
}

/** Builds into a folder outside of the project, from which no package can be found. */
async function build(shop: string, format: Format, program: string, external = ""): Promise<Built> {
  const folder = mkdtempSync(join(shop, "../built-"));
  const env = { PROGRAM: program, OUTPUT: folder, EXTERNAL: external };
  await project.command(shop, format.command, { env });
  const built = { folder, file: format.output(program) };
  return format.leavesPackages ? withPackages(built, shop) : built;
}

function withPackages(built: Built, shop: string): Built {
  const link = join(built.folder, "node_modules");
  if (!existsSync(link)) symlinkSync(join(shop, "node_modules"), link, "dir");
  return built;
}

async function expectEveryday({ folder, file }: Built, node: string, target: string): Promise<void> {
  const kind = target.split(":")[0] ?? "";
  await project.expectLine(folder, [node, file, target], `everyday: done on ${kind}`);
}

function sqliteIn({ folder }: Built): string {
  return `sqlite:${join(folder, "store.db")}`;
}
