// The client suite of holdfast/testing on every kind of client: what the backend needs of one, whoever made it.
//
// Seen failing: user-ioredis.ts does not fail what is in flight at "close" → lost replies and lost requests.

import { afterAll, afterEach, beforeAll, describe, test } from "vitest";

import { clientSuite, type ClientSuiteHooks } from "../../src/testing/index.ts";
import { clients, ClientWorld, secret } from "./clients.ts";

const hooks: readonly (keyof ClientSuiteHooks)[] = ["cut", "loseReply", "loseRequest", "isolate"];

for (const [name, client] of Object.entries(clients)) {
  describe(`clientSuite on ${name}`, () => {
    let world: ClientWorld;
    beforeAll(async () => {
      world = await ClientWorld.start(client);
    });
    afterEach(() => world.endClients());
    afterAll(() => world.end());
    const later = hooks.map((hook) => [
      hook,
      (...args: never[]): unknown => (world.hooks[hook] as (...args: never[]) => unknown)(...args),
    ]);
    clientSuite({
      test: (title, fn) => test(title, fn, 60_000),
      skip: (title, reason) => test.skip(`${title} (${reason})`),
      createClient: () => world.createClient(),
      createObserver: () => world.createObserver(),
      resends: client.resends,
      secrets: [secret],
      hooks: Object.fromEntries(later) as ClientSuiteHooks,
    });
  });
}
