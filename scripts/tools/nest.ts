// A Nest project as its own generator makes it, with the package installed from the tarball: a service with a spec beside
// the generated ones, tested by the runner that the generator chose, without any configuration, and compiled by its build.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import * as project from "./project.ts";
import type { Tool, Workplace } from "./tool.ts";

/** `end`: what the generator's own imports of files end with. */
const service = `
import { Injectable, type OnModuleDestroy } from "@nestjs/common";
import { open, type Store } from "holdfast";

@Injectable()
export class VisitsService implements OnModuleDestroy {
  private readonly store: Store = open(process.env.SHOP_STORE);

  async visit(): Promise<number> {
    const lock = this.store.lock("visits");
    const visits = this.store.state("visits", { initial: () => ({ n: 0 }) });
    return await lock.run(() => lock.run(() => visits.run((draft) => (draft.n += 1)), { waitMs: 0 }));
  }

  async onModuleDestroy(): Promise<void> {
    await this.store.close();
  }
}
`;
const specFor = (end: string): string => `
import { Test } from "@nestjs/testing";
import { HoldfastError } from "holdfast";
import { VisitsService } from "./visits.service${end}";

it("counts", async () => {
  const module = await Test.createTestingModule({ providers: [VisitsService] }).compile();
  await module.init();
  const visits = module.get(VisitsService);
  const before = await visits.visit();
  expect(await Promise.all([visits.visit(), visits.visit()])).toEqual([before + 1, before + 2]);
  await module.close();
  await expect(visits.visit()).rejects.toBeInstanceOf(HoldfastError);
});
`;

/** Nest 11: CommonJS, Jest 30 with ts-jest. */
export const nestTools: readonly Tool[] = [
  { name: "nest-11", cli: "@nestjs/cli@11.0.24", runner: ["jest"], end: "" },
  { name: "nest-12", cli: "@nestjs/cli@12.0.8", runner: ["vitest", "run"], end: ".js" },
].map(({ name, cli, runner, end }) => ({
  name,
  packages: [cli],
  async test(folder: string, workplace: Workplace): Promise<string> {
    project.writeManifest(folder);
    await project.install(folder, [cli]);
    const flags = ["--skip-git", "--skip-install", "--package-manager", "npm"];
    await project.command(folder, ["nest", "new", "shop", ...flags]);
    const shop = join(folder, "shop");
    await project.install(shop, []); // the versions are the generator's
    await project.command(shop, [
      "npm",
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      workplace.tarball,
    ]);
    writeFileSync(join(shop, "src/visits.service.ts"), service);
    writeFileSync(join(shop, "src/visits.service.spec.ts"), specFor(end));
    for (const [major, target] of targetsIn(folder, workplace))
      await project.command(shop, runner, { node: workplace.node(major), env: { SHOP_STORE: target } });
    await project.command(shop, ["nest", "build"]);
    return `${runner[0] ?? ""} and the build`;
  },
}));

/** Node 20 has no SQLite of its own. */
function targetsIn(folder: string, { redisUrl }: Workplace): readonly (readonly [number, string])[] {
  return [
    [20, redisUrl],
    [24, "memory:"],
    [24, `sqlite:${join(folder, "store.db")}`],
  ];
}
