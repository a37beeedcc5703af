/**
 * Where the server is now: asked before each connection, so that one that is made after a failover, or after a slot has
 * moved, leads to the server that decides by then.
 */
import type { ServerConnection } from "../socket.ts";
import type { Endpoint, NetworkEndpoint } from "../target-url.ts";

export interface Locator {
  /** For a connection for commands; the connection for wakes that belongs to it leads to the same server. */
  locate(): Promise<Endpoint>;
  /** Whether an error reply says that another server decides; if so, `locate()` leads there. */
  isRedirection?(message: string): boolean;
}

export interface LocatorOptions {
  readonly attemptMs: number;
  /** Of the store's keys, on a cluster. */
  readonly slot: number;
  /** Makes a connection to a node of a cluster, like those that follow. */
  readonly connectTo: (node: NetworkEndpoint) => ServerConnection;
  /** An error reply as it may be shown: a server may quote what it was sent [P3]. */
  readonly withoutPassword: (error: Error) => Error;
}
