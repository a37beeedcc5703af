// A Nest project as its own generator makes it, with the package installed from the tarball: a service with a spec beside
// the generated ones, tested by the runner that the generator chose, without any configuration, and compiled by its build.
// So are the files of docs/recipes/nestjs.md, which are asked over HTTP as well.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import * as project from "./project.ts";
import { writeRecipe } from "./recipe-files.ts";
import type { Tool, Workplace } from "./tool.ts";

/** `end`: what the generator's own imports of files end with. */
const service = `
import { Injectable, type OnModuleDestroy } from "@nestjs/common";
import { open, type Store } from "holdfast";

@Injectable()
export class VisitsService implements OnModuleDestroy {
  private readonly store: Store = open();

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

/** A lock on a service and one on a route, what the filter answers, and that the application closes the store. */
const recipeSpecFor = (end: string): string => `
import { Controller, Param, Post } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { HoldfastModule, Locked, STORE } from "./holdfast.module${end}";
import { OrdersService } from "./orders.service${end}";

@Controller("orders")
class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post(":id/payment")
  pay(@Param("id") id: string) {
    return this.orders.pay({ id, cents: 500 });
  }

  @Post(":id/count")
  @Locked("count:{id}", { waitMs: 0 })
  async count(@Param() { id }: { id: string }) {
    return { counted: id };
  }

  @Post(":id/mistake")
  @Locked("count:{order}")
  async mistake(@Param() _params: { id: string }) {
    return {};
  }
}

it("answers over HTTP", async () => {
  const parts = { imports: [HoldfastModule], controllers: [OrdersController], providers: [OrdersService] };
  const app = (await Test.createTestingModule(parts).compile()).createNestApplication({ logger: false });
  await app.listen(0, "127.0.0.1");
  const url = await app.getUrl();
  const post = async (path) => {
    const response = await fetch(url + path, { method: "POST" });
    return [response.status, await response.json()];
  };
  const store = app.get(STORE);
  const own = crypto.randomUUID();

  const busy = [423, { code: "LOCK_TIMEOUT", outcome: "none" }];
  for (const [lock, path] of [["order", "payment"], ["count", "count"]]) {
    const held = await store.lock(lock + ":" + own).acquire();
    expect(await post("/orders/" + own + "/" + path)).toEqual(busy);
    await held.release();
  }
  const [status, paid] = await post("/orders/" + own + "/payment");
  expect([status, typeof paid.receipt]).toEqual([201, "string"]);
  expect(await post("/orders/" + own + "/payment")).toEqual([201, paid]);
  expect(await post("/orders/" + own + "/count")).toEqual([201, { counted: own }]);
  expect((await post("/orders/" + own + "/mistake"))[0]).toBe(500);
  await app.close();
  await expect(store.state("x").load()).rejects.toMatchObject({ code: "CLOSED" });
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
    writeRecipe(shop, { page: "nestjs.md", mark: "nest" }, (code) =>
      code.replaceAll(/(from "\.[^"]*)\.js"/g, `$1${end}"`),
    );
    writeFileSync(join(shop, "src/recipe.spec.ts"), recipeSpecFor(end));
    for (const [major, target] of targetsIn(folder, workplace))
      await project.command(shop, runner, { node: workplace.node(major), env: { HOLDFAST_URL: target } });
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
