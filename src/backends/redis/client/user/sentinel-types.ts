/** The types of `createSentinel()` that its adapter relies on, written out so that no type of ours names the package. */
import type { RedisClientLike } from "../node-redis-types.ts";

/** A connected client made by `createSentinel()` of `@redis/client` 5 or 6, as given to `open()`. It stays yours. */
export interface SentinelClientLike {
  readonly isOpen: boolean;
  getMasterNode(): unknown;
  getSentinelNode(): { readonly host: string; readonly port: number } | undefined;
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
