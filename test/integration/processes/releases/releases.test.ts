// Two releases of a program beside each other, as real processes: the newer one migrates what it finds, and the older one
// is refused from then on, is told what to do, and overwrites nothing.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { served, type Served } from "../../../support/served.ts";
import { killAll, Worker, WorkerError } from "../../../support/workers.ts";

const program = join(import.meta.dirname, "release.ts");
const id = "{visits}";

interface Visits {
  readonly acknowledged: number;
  readonly code: string | null;
}

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url);
    });
    afterEach(async () => {
      await killAll();
      await store.state(id).delete();
    });
    afterAll(async () => {
      await store.close();
      await backend.end();
    });

    const releaseOf = (version: 1 | 2) => {
      const worker = new Worker(backend.url, undefined, { RELEASE: String(version) }, program);
      return <T>(op: string, details: object = {}): Promise<T> => worker.order<T>(op as "load", details);
    };
    const second = () => store.state<object>(id, { version: 2, migrate: { 1: (visits) => visits } });

    test("[S6] the older release is refused by every call, and overwrites nothing", async () => {
      const [older, newer] = [releaseOf(1), releaseOf(2)];
      await older("save", { value: { visits: 1 } });
      expect(await newer("load")).toEqual({ visits: 1, owner: "unknown" });
      expect(await older("update")).toEqual({ visits: 2 }); // nothing has been stored by the newer one
      expect(await newer("update")).toEqual({ visits: 3, owner: "unknown" });
      const before = await second().read();
      const value = { visits: 0 };
      const revision = before?.revision;
      for (const [op, details] of [
        ...(["load", "read", "update", "run", "updateLocked", "transact"] as const).map(
          (op) => [op, {}] as const,
        ),
        ...(["save", "saveIf", "trySave", "saveLocked"] as const).map(
          (op) => [op, { value, revision }] as const,
        ),
      ]) {
        const error = await older(op, details).then(
          () => `${op} was not refused`,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(WorkerError);
        expect(error).toMatchObject({ code: "VERSION", outcome: "none" });
        expect((error as Error).message).toContain(
          `"${id}" was left as it is: it was written by a newer release (version 2; this one knows up to 1). Deploy`,
        );
      }
      expect(await second().read()).toEqual(before);
      expect(await store.state("{visits}:other").load()).toBeUndefined();
      await older("delete"); // as with every format
      expect(await older("load")).toBeNull();
    });

    test("[S3] [S6] no acknowledged update of either release is lost while both write", async () => {
      const [older, newer] = [releaseOf(1), releaseOf(2)];
      await older("save", { value: { visits: 0 } });
      await newer("load"); // it is there
      const old = older<Visits>("visits", { count: 100_000 });
      await expect
        .poll(async () => ((await second().load()) as { visits: number }).visits)
        .toBeGreaterThan(20);
      const results = await Promise.all([old, newer<Visits>("visits", { count: 200 })]);
      expect(results).toMatchObject([{ code: "VERSION" }, { code: null, acknowledged: 200 }]);
      const acknowledged = results.reduce((sum, one) => sum + one.acknowledged, 0);
      expect(await newer("load")).toEqual({ visits: acknowledged, owner: "unknown" });
    });
  });
}
