/** What an adapter brings to the client suite: a factory, what it can, and hooks that break things. */
import type { RedisClient } from "../../backends/redis/client/client-port.ts";

/** Ways to do harm between the clients and the server. Each concerns the clients that `createClient` made. */
export interface ClientSuiteHooks {
  /** Cuts every connection of the clients. */
  readonly cut?: (() => Promise<void> | void) | undefined;
  /** The server carries out the next command of this name (in capitals); its reply is lost, and its connection is cut. */
  readonly loseReply?: ((name: string) => void) | undefined;
  /** The next command of this name is lost before the server sees it, and its connection is cut. */
  readonly loseRequest?: ((name: string) => void) | undefined;
  /** No connection to the server can be made until the function that it returns is called; those that exist are cut. */
  readonly isolate?: (() => Promise<() => Promise<void> | void>) | undefined;
}

/** Options of `clientSuite()`. */
export interface ClientSuiteOptions {
  /** Registers one test. Tests may run in any order, but one after the other. */
  readonly test: (name: string, fn: () => Promise<void>) => unknown;
  /** Tells of a case that cannot run; by default a test that passes, whose name ends with the reason. */
  readonly skip?: ((name: string, reason: string) => unknown) | undefined;
  /** A fresh client of one and the same server, which need not be connected. */
  readonly createClient: () => RedisClient | Promise<RedisClient>;
  /** A client that is not subject to the hooks; by default one more of `createClient`. */
  readonly createObserver?: (() => RedisClient | Promise<RedisClient>) | undefined;
  /** What the keys and channels of the cases begin with. Default: `suite:`. */
  readonly prefix?: string | undefined;
  /**
   * The client below sends again by itself what was in flight when its connection broke, since its owner wants that.
   * Then a command whose outcome is "unknown" may be carried out more than once. Default: false.
   */
  readonly resends?: boolean | undefined;
  /** What no name and no error may contain [P3]. */
  readonly secrets?: readonly string[] | undefined;
  /** Ways to do harm. Cases that need one that is missing are reported as skipped. */
  readonly hooks?: ClientSuiteHooks | undefined;
}
