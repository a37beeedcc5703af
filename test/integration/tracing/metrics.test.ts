// The metrics of `holdfast/opentelemetry`, as Prometheus scrapes them over HTTP, on every backend.

import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { open } from "../../../src/index.ts";
import { instrument } from "../../../src/opentelemetry/index.ts";
import { poll } from "../../support/poll.ts";
import { freePort } from "../../support/redis-server.ts";
import { served, type Served } from "../../support/served.ts";

const memory = async (): Promise<Served> =>
  Promise.resolve({ url: "memory:", end: async () => {} } as Served);

for (const [name, create] of Object.entries({ memory, ...served })) {
  describe(name, () => {
    let backend: Served;
    let exporter: PrometheusExporter;
    let provider: MeterProvider;
    let port: number;

    beforeAll(async () => {
      backend = await create();
      port = await freePort();
      exporter = new PrometheusExporter({ host: "127.0.0.1", port, preventServerStart: true });
      await exporter.startServer();
      provider = new MeterProvider({ readers: [exporter] });
    });
    afterAll(async () => {
      await provider.shutdown();
      await backend.end();
    });

    /** The values of a series whose labels contain all of these. */
    async function scraped(series: string, labels: Readonly<Record<string, string>> = {}): Promise<number[]> {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      return text
        .split("\n")
        .filter((line) => line.startsWith(`${series}{`) && wanted.every((one) => line.includes(one)))
        .map((line) =>
          Number(
            line
              .slice(line.lastIndexOf("}") + 1)
              .trim()
              .split(" ")[0],
          ),
        );
    }

    test("who waits and holds now, how long, what is lost, and how large batches are", async () => {
      const store = open(backend.url);
      using instrumentation = instrument({ meterProvider: provider, groupOf: (id) => id.split(":")[0] });
      const group = { holdfast_group: "job" };
      const held = await store.lock("job:1").acquire();
      const waiting = store.lock("job:1").acquire();
      expect(await scraped("holdfast_lock_held", group)).toEqual([1]);
      expect(await scraped("holdfast_lock_waiting", group)).toEqual([1]);
      expect(await store.lock("job:1").tryAcquire()).toBeNull();
      await held.release();
      const second = await waiting;
      await store.lock("job:1").forceRelease();
      await poll(() => second.signal.aborted).toBe(true);
      expect(await scraped("holdfast_lock_lost_total", group)).toEqual([1]);
      expect(await scraped("holdfast_lock_held", group)).toEqual([0]);
      expect(await scraped("holdfast_lock_waiting", group)).toEqual([0]);
      const granted = { ...group, holdfast_outcome: "granted" };
      expect(await scraped("holdfast_lock_wait_duration_count", granted)).toEqual([2]);
      const busy = { holdfast_outcome: "busy" };
      expect(await scraped("holdfast_lock_wait_duration_count", busy)).toEqual([1]);
      expect(await scraped("holdfast_lock_wait_duration_bucket", { ...granted, le: "60" })).toEqual([2]);
      const released = { ...group, holdfast_outcome: "released" };
      expect(await scraped("holdfast_lock_hold_duration_count", released)).toEqual([1]);

      const counter = store.state("count:1", { initial: () => 0 });
      await Promise.all(Array.from({ length: 10 }, () => counter.update((n) => n + 1)));
      const counts = { holdfast_group: "count", holdfast_outcome: "saved" };
      expect(await scraped("holdfast_update_duration_count", counts)).toEqual([10]);
      expect(await scraped("holdfast_update_batch_size_sum", { holdfast_group: "count" })).toEqual([10]);
      const [saves] = await scraped("holdfast_update_batch_size_count", { holdfast_group: "count" });
      expect(saves).toBeLessThan(10);

      await store.lock("job:2").acquire();
      instrumentation.disable();
      expect(await scraped("holdfast_lock_held", group)).toEqual([0]);
      await store.close({ drainMs: 0 });
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
      expect(text).not.toContain("job:1");
    });
  });
}
