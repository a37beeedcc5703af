// Four instances that start at the same time: each migration is applied once, and all start.

import { expect, test } from "vitest";

import { onEachStore } from "./on-each-store.ts";

const slowly = [
  "database.exec(sql);",
  "await new Promise((resolve) => setTimeout(resolve, 800)); database.exec(sql);",
] as const;

onEachStore("migrations-at-startup.md", (setting, name) => {
  const ownDatabase = ['"shop.db"', JSON.stringify(`shop-${name}.db`)] as const;

  test("each migration is applied once, and all instances start", async () => {
    const { page, backend } = setting();
    const instances = [1, 2, 3, 4].map(() => page.start(backend.url, [ownDatabase, slowly]));
    for (const one of instances) {
      expect(await one.ended(), one.warned.join("\n")).toBe(0);
      expect(one.said).toEqual(["ready with 2 migrations"]);
    }
    const applied = instances.flatMap(({ warned }) => warned.filter((line) => line.startsWith("applied")));
    expect(applied).toEqual(["applied 001-orders", "applied 002-status"]);
  });

  test("the one that migrates is killed in the middle: the next one applies what is missing", async () => {
    const { page, backend } = setting();
    const database = ['"shop.db"', JSON.stringify(`killed-${name}.db`)] as const;
    const hangs = [
      "database.exec(sql);",
      'database.exec(sql); if (name === "002-status") { console.log("half"); await new Promise((r) => setTimeout(r, 600_000)); }',
    ] as const;
    const first = page.start(backend.url, [database, hangs]);
    await first.says("half");
    const second = page.start(backend.url, [database]);
    first.signal("SIGKILL");
    expect(await second.ended(), second.warned.join("\n")).toBe(0);
    expect(second.said).toEqual(["ready with 2 migrations"]);
    expect(second.warned).toContain("applied 002-status");
    expect(second.warned).not.toContain("applied 001-orders");
  });
});
