// A program whose fake timers are never moved: installed before or after Holdfast is loaded, with or without nextTick.

import { install } from "@sinonjs/fake-timers";

import type * as index from "../../../src/index.ts";

const [, , target = "memory:", order = "before", faked = "all"] = process.argv;

const load = (): Promise<typeof index> => import("../../../src/index.ts");
let library = order === "after" ? await load() : undefined;
const clock = install(faked === "all" ? {} : { toNotFake: ["nextTick"] });
library ??= await load();

const store = library.open(target, { prefix: `${order}:`, leaseMs: 500, operationMs: 2_000 });
const codes: unknown[] = [];
const attempt = (call: Promise<unknown>): Promise<void> =>
  call.then(
    (value) => void codes.push(typeof value),
    (error: unknown) => void codes.push((error as { code: unknown }).code),
  );

const counter = store.state("n", { initial: () => 0 });
await attempt(counter.update((n) => n + 1));
if (codes[0] === "number") {
  for (let n = 0; n < 30; n += 1) await counter.load();
  const grant = await store.lock("l").acquire();
  await attempt(store.lock("l").acquire({ waitMs: 700 })); // longer than the lease, which is renewed
  codes.push(grant.signal.aborted);
  const next = store.lock("l").acquire();
  await grant.release();
  await (await next).release();
  await attempt(store.once("o", { keepMs: 60_000 }).run(() => 1));
  await attempt(store.leader("e").run(() => 1));
  await attempt(store.semaphore("s", { permits: 1 }).run(() => 1));
}
await store.close({ drainMs: 0 });
clock.uninstall();
console.log(JSON.stringify(codes));
