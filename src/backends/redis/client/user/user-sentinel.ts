/**
 * The port for a user's client that follows Sentinels (`createSentinel()`). It is asked where the primary is and with which
 * options to connect; the connections are made here. No command is sent through it: it resends commands after a failover,
 * and each takes longer.
 */
import { OwnClient } from "../own-client.ts";
import type { RedisClientLike } from "../node-redis-types.ts";
import type { RedisClient } from "../client-port.ts";
import type { ServerConnection } from "../socket.ts";
import { pause } from "../../../../timers.ts";
import { duplicateOf } from "./node-redis-duplicate.ts";
import type { Locator, SentinelClientLike } from "./sentinel-types.ts";

export function openSentinel(
  client: SentinelClientLike,
  { operationMs, stallMs }: { readonly operationMs: number; readonly stallMs?: number | undefined },
): RedisClient {
  const name = nameOf(client);
  const make = async (): Promise<ServerConnection> => {
    const primary = await primaryOf(client as Locator, operationMs / 2);
    return duplicateOf(primary, { name, connectMs: operationMs });
  };
  return new OwnClient({ name }, { operationMs, stallMs, make });
}

/** While it looks for a new primary, it answers when it has found one. */
async function primaryOf(client: Locator, limitMs: number): Promise<RedisClientLike> {
  if (!client.isOpen)
    throw new Error("the client that was passed to open() is not connected; connect it first");
  const late = pause(limitMs).then(() => {
    throw new Error(`the Sentinels named no primary within ${String(limitMs)} ms`);
  });
  const found: { primary?: RedisClientLike } = {};
  const asked = client._execute(false, (primary) => {
    found.primary = primary;
    return Promise.resolve();
  });
  await Promise.race([asked, late]);
  if (found.primary === undefined) throw new Error("the Sentinels named no primary");
  return found.primary;
}

function nameOf(client: SentinelClientLike): string {
  const node = client.getSentinelNode();
  return node === undefined ? "redis+sentinel" : `redis+sentinel://${node.host}:${String(node.port)}`;
}
