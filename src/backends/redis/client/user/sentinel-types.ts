/** The types of `createSentinel()` that its adapter relies on, written out so that no type of ours names the package. */
import type { RedisClientLike } from "../node-redis-types.ts";

/** A connected client made by `createSentinel()` of `@redis/client` 5 or 6, as given to `open()`. It stays yours. */
export interface SentinelClientLike {
  /** Whether it was connected, and has not been closed. */
  readonly isOpen: boolean;
  /** The primary that it knows. */
  getMasterNode(): unknown;
  /** The Sentinel that it asks. */
  getSentinelNode():
    | {
        /** A host name or an IP address. */
        readonly host: string;
        /** Its port. */
        readonly port: number;
      }
    | undefined;
}

/** Calls a function with its client of the primary. The package's own commands go this way. */
export interface Locator extends SentinelClientLike {
  _execute(isReadonly: false, fn: (client: RedisClientLike) => Promise<unknown>): Promise<unknown>;
}

export function isSentinelClient(value: object): value is SentinelClientLike {
  const client = value as Partial<Record<keyof Locator, unknown>>;
  return ["getMasterNode", "getSentinelNode", "_execute"].every(
    (name) => typeof client[name as keyof Locator] === "function",
  );
}
