// Two processes update one state while one of them is slow: the spans of both, as trees.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";
import type { ToldSpan } from "./program.ts";

type Op = Parameters<Worker["order"]>[0];
const program = join(import.meta.dirname, "program.ts");

/** `GET /a > holdfast update > inside`, for each span without children. */
function branches(spans: readonly ToldSpan[]): string[] {
  const pathTo = (span: ToldSpan): string => {
    const parent = spans.find(({ id }) => id === span.parent);
    return parent === undefined ? span.name : `${pathTo(parent)} > ${span.name}`;
  };
  return spans
    .filter(({ id }) => !spans.some(({ parent }) => parent === id))
    .map(pathTo)
    .sort();
}

for (const [name, create] of Object.entries(served)) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await create();
      store = open(backend.url);
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close();
      await backend.end();
    });

    test("a contended update: request, update and body are a tree in each process, and the one that waited says so", async () => {
      const [first, second] = [1, 2].map(() => new Worker(backend.url, undefined, {}, program)) as [
        Worker,
        Worker,
      ];
      const told = (worker: Worker, who: string): Promise<void> =>
        worker.until((lines) => lines.some(({ running }) => running === who));
      const order = (worker: Worker, op: string, details = {}): Promise<unknown> =>
        worker.order(op as Op, { id: "n", ...details });

      const slow = order(first, "update", { who: ["slow"], gated: true });
      await told(first, "slow");
      const waiting = order(second, "update", { who: ["b", "c"] });
      await poll(async () => (await store.lock("n").inspect())?.waiters).toBe(1);
      const until = performance.now();
      await poll(() => performance.now() - until).toBeGreaterThan(50);
      await order(first, "go");
      expect(await slow).toEqual([1]);
      expect(await waiting).toEqual([2, 3]);
      await order(second, "lock", { who: ["d"] });

      const ofFirst = (await order(first, "spans")) as ToldSpan[];
      expect(branches(ofFirst)).toEqual([
        "slow > holdfast update > holdfast save",
        "slow > holdfast update > slow inside",
      ]);
      expect(new Set(ofFirst.map(({ traceId }) => traceId)).size).toBe(1);

      const ofSecond = (await order(second, "spans")) as ToldSpan[];
      // A busy machine may make two saves of it: a hold is bounded in time.
      const own = branches(ofSecond).filter((branch) => branch !== "c > holdfast update > holdfast save");
      expect(own).toEqual([
        "b > holdfast update > b inside",
        "b > holdfast update > holdfast save",
        "c > holdfast update > c inside",
        "d > holdfast acquire",
        "d > holdfast hold > d inside",
      ]);
      const named = (of: readonly ToldSpan[], one: string): ToldSpan[] =>
        of.filter((span) => span.name === one);
      const [fast] = named(ofFirst, "holdfast update");
      const waited = named(ofSecond, "holdfast update");
      const saves = named(ofSecond, "holdfast save");
      expect(waited).toHaveLength(2);
      expect(saves.flatMap(({ links }) => links)).toEqual(waited.map(({ id }) => id));
      for (const { id, links, attributes } of waited) {
        const save = saves.find((one) => one.links.includes(id));
        expect(links).toEqual([save?.id]);
        expect(attributes).toMatchObject({
          "holdfast.outcome": "saved",
          "holdfast.update.batch_size": save?.links.length,
        });
        expect(attributes["holdfast.wait.duration"]).toBeGreaterThan(0.05);
        expect(attributes["holdfast.fence"]).toBeGreaterThan(Number(fast?.attributes["holdfast.fence"]));
      }
      const [hold] = named(ofSecond, "holdfast hold");
      expect(hold?.attributes["holdfast.fence"]).toBeGreaterThan(
        Number(waited[0]?.attributes["holdfast.fence"]),
      );
    });
  });
}
