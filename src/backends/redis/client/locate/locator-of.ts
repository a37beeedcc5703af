/** The locator for an address: its own host, the primary that Sentinels name, or the node that owns a slot. */
import type { Address } from "../target-url.ts";
import { ClusterLocator } from "./cluster-locator.ts";
import type { Locator, LocatorOptions } from "./locator.ts";
import { askSentinels } from "./primary-locator.ts";

export function locatorOf({ name, server }: Address, options: LocatorOptions): Locator {
  if ("nodes" in server) return new ClusterLocator({ name, ...server, ...options });
  if ("sentinels" in server) return { locate: () => askSentinels(name, server, options.attemptMs) };
  return { locate: () => Promise.resolve(server) };
}
