// A process that closes its store while it holds, waits and saves, tells what became of each, and then has nothing left
// to do: it must end by itself. `elsewhere` is held by the test; on `unanswered` the test stops the storage before `close`.

import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";

import { open, type HoldfastError } from "../../../src/index.ts";

const [url = "", life = ""] = process.argv.slice(2);
const store = open(url, { operationMs: 3_000, leaseMs: 5_000, waitMs: 60_000 });

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** "done", or why not. */
const ends: Promise<[string, string]>[] = [];
function watch(name: string, call: Promise<unknown>): void {
  const end = call.then(
    () => "done",
    (error: unknown) => `${(error as HoldfastError).code} ${(error as HoldfastError).outcome}`,
  );
  ends.push(end.then((text) => [name, text]));
}

// Holding: by hand, in a body that never ends, in one that ends in time and still saves, in a draft function of each kind.
const grant = await store.lock("by hand").acquire();
const latch = (): { reached: Promise<void>; reach: () => void } => {
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { reached, reach };
};
const closing = latch();
const begun = Array.from({ length: 4 }, latch);
watch(
  "endless body",
  store.lock("endless body").run(async ({ signal }) => {
    begun[0]?.reach();
    await once(signal, "abort");
    tell({ aborted: (signal.reason as HoldfastError).code });
  }),
);
watch(
  "body",
  store.lock("body").run(async () => {
    begun[1]?.reach();
    await closing.reached;
    await store.state("body").save("saved while closing");
  }),
);
watch(
  "endless draft",
  store.state("endless draft").update(async (_, { signal }) => {
    begun[2]?.reach();
    await once(signal, "abort");
    return "never";
  }),
);
watch(
  "draft",
  store.state("draft").update(async () => {
    begun[3]?.reach();
    await closing.reached;
    await nextTurn();
    return "saved while closing";
  }),
);
await Promise.all(begun.map(({ reached }) => reached));

// Waiting: behind another process, and behind ourselves.
for (const id of ["elsewhere", "by hand"]) {
  watch(`acquire ${id}`, store.lock(id).acquire());
  watch(`save ${id}`, store.state(id).save("never"));
  watch(
    `update ${id}`,
    store.state(id).update(() => "never"),
  );
}
while ((await store.lock("elsewhere").inspect())?.waiters !== 1) await nextTurn();
const goesOn = life === "unanswered" ? once(process, "SIGUSR2") : undefined;
tell({ waiting: true });
await goesOn;

// Saving: some are on their way already, some are not.
for (let n = 0; n < 20; n += 1) {
  watch(`saving ${String(n)}`, store.state(`saving ${String(n)}`).save(n));
  watch(
    `updating ${String(n)}`,
    store.state("updating", { initial: () => [] as number[] }).update((all) => void all.push(n)),
  );
  if (n % 3 === 0) await nextTurn();
}
const closed = store.close({ drainMs: 300 });
watch("after close", store.state("late").save(1));
closing.reach();
await closed;
tell({ ends: Object.fromEntries(await Promise.all(ends)) });
const released = await grant.release().catch((error: unknown) => (error as HoldfastError).code);
tell({ byHand: (grant.signal.reason as HoldfastError).code, released });
