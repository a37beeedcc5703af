// A test of the user's that replaces Node's timers stops neither calls nor their deadlines.
//
// Seen failing: node-redis-types.ts calls the package under the faked setImmediate → nothing is ever written.

import { afterEach, expect, test, vi } from "vitest";

import { open } from "../../../../src/index.ts";
import { startLink } from "../../../support/faults/link.ts";
import { failure, ownServers } from "../clients.ts";

const start = ownServers();
afterEach(() => vi.useRealTimers());

test("[P1] under fake timers calls are answered, and one that is not ends at its deadline", async () => {
  const server = await start();
  const link = await startLink(server);
  const store = open(`redis://${server.credentials}@127.0.0.1:${String(link.port)}`, {
    prefix: "t:",
    operationMs: 1_500,
  });
  await store.ready();
  vi.useFakeTimers();
  await store.state("x").save(1);
  expect(
    await Promise.all(Array.from({ length: 30 }, () => store.state("x").update((n) => Number(n) + 1))),
  ).toHaveLength(30);
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.lock(`y${String(n)}`).run(() => n)));
  expect(await store.state("x").load()).toBe(31);
  link.silent = true;
  expect(await failure(store.state("x").load())).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  vi.useRealTimers();
  await store.close({ drainMs: 0 });
  await link.close();
});
