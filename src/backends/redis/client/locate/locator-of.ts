/** The locator for an address: its own host, the primary that Sentinels name, or the node that owns a slot. */
import type { Address } from "../target-url.ts";
import { ClusterLocator } from "./cluster-locator.ts";
import type { Locator, LocatorOptions } from "./locator.ts";
import { askSentinels } from "./primary-locator.ts";

export function locatorOf(address: Address, { attemptMs, slot }: LocatorOptions): Locator {
  const { name, server } = address;
  if ("nodes" in server) return new ClusterLocator({ ...address, ...server, attemptMs, slot });
  if ("sentinels" in server) return { locate: () => askSentinels(name, server, attemptMs) };
  return { locate: () => Promise.resolve(server) };
}
