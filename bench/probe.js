// What starting costs: `probe.js <what> <url>` does one thing and tells as JSON how long it took and how large the process
// is afterwards. Plain JavaScript, since taking the types out of a file costs more than what is measured here.

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const [what = "", url = ""] = process.argv.slice(2);
const begun = performance.now();
const lap = () => performance.now() - begun;

const things = {
  nothing: () => ({}),
  holdfast: async () => {
    const { open } = await import("../dist/index.js");
    const importMs = lap();
    const store = open(url);
    const openMs = lap() - importMs;
    await store.ready();
    return { importMs, openMs, readyMs: lap() };
  },
  ioredis: async () => {
    const { Redis } = await import("ioredis");
    const importMs = lap();
    const client = new Redis(url);
    const openMs = lap() - importMs;
    await client.ping();
    return { importMs, openMs, readyMs: lap() };
  },
  "@redis/client": async () => {
    const { createClient } = await import("@redis/client");
    const importMs = lap();
    const client = createClient({ url });
    const openMs = lap() - importMs;
    await client.connect();
    return { importMs, openMs, readyMs: lap() };
  },
};

const result = await things[what]();
await sleep(300);
console.log(JSON.stringify({ ...result, residentBytes: process.memoryUsage().rss }));
process.exit();
