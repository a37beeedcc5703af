// What most tests of whole stores on a real Redis begin with: a server for the file, a proxy in front of it for each test, and
// stores that are closed after each test.

import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

import { open, type OpenOptions, type Store } from "../../src/index.ts";
import { startProxyBefore, startServer, type TestProxy, type TestServer } from "./setting.ts";

export interface Fixture {
  readonly server: TestServer;
  /** Another one in each test. */
  readonly proxy: TestProxy;
  /** The stores of this test so far, in the order in which they were opened. */
  readonly stores: readonly Store[];
  /** A store that is closed when the test is over; at the server or at the proxy. */
  connect(url: string, options?: OpenOptions): Store;
}

/** Call it once, at the top of a file or of a `describe`. Server and proxy are there from the first test on. */
export function proxiedRedis(defaults: OpenOptions = {}): Fixture {
  let server: TestServer | undefined;
  let proxy: TestProxy | undefined;
  const stores: Store[] = [];
  beforeAll(async () => {
    server = await startServer();
  });
  beforeEach(async () => {
    proxy = await startProxyBefore(there(server));
  });
  afterEach(async () => {
    there(proxy).frozen = false;
    await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
    await there(proxy).close();
  });
  afterAll(() => there(server).stop());
  return {
    get server() {
      return there(server);
    },
    get proxy() {
      return there(proxy);
    },
    stores,
    connect(url, options) {
      const store = open(url, { ...defaults, ...options });
      stores.push(store);
      return store;
    },
  };
}

function there<T>(what: T | undefined): T {
  if (what === undefined) throw new Error("there only while a test runs");
  return what;
}
