// A process that holds all kinds of locks until it is killed, or that calls for one and tells how long that took.
// Arguments: URL, `hold` or `next`, and the lease in milliseconds.

import { open } from "../../../../src/index.ts";

const [url = "", life = "hold", leaseMs = "60000"] = process.argv.slice(2);
const store = open(url, { leaseMs: Number(leaseMs), waitMs: 20_000 });
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const forever = new Promise<never>(() => undefined);

async function hold(): Promise<void> {
  let inside = 0;
  const enter = (): Promise<never> => {
    inside += 1;
    if (inside === 4) tell({ holding: true });
    return forever;
  };
  await store.lock("by hand").acquire();
  await store.lock("shared").acquire({ shared: true });
  await store.semaphore("permits", { permits: 2 }).acquire();
  await store.lockAll(["one", "two"]).acquire();
  void store.state("updated").update(enter);
  void store.transact([store.state("three"), store.state("four")], enter);
  void store.once("once", { keepMs: 60_000 }).run(enter);
  void store.leader("leader").run(enter);
}

async function next(): Promise<void> {
  const from = performance.now();
  await store.lock("by hand").run(() => undefined);
  tell({ tookMs: performance.now() - from });
  await store.close();
}

await (life === "hold" ? hold() : next());
