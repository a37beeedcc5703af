/**
 * A duplicate of a client of `@redis/client`, as a connection of our own: it tries once, queues nothing, and does not keep
 * the process alive [P1].
 */
import { UnavailableError } from "../../../../errors.ts";
import type { RedisClientLike } from "../node-redis-types.ts";
import type { ServerConnection } from "../socket.ts";
import type { NetworkEndpoint } from "../target-url.ts";

interface DuplicateOptions {
  readonly name: string;
  readonly connectMs: number;
  /** The node of a cluster to connect to; the client may be connected to another. */
  readonly node?: NetworkEndpoint;
}

export function duplicateOf(
  client: Pick<RedisClientLike, "duplicate">,
  { name, connectMs, node }: DuplicateOptions,
): ServerConnection {
  const { options } = client as { options?: { socket?: object } };
  const place = node && { host: node.host, port: node.port };
  const duplicate = client.duplicate?.({
    ...(node && { url: undefined, readonly: false, clientSideCache: undefined }),
    socket: { ...options?.socket, ...place, reconnectStrategy: false, connectTimeout: connectMs },
    disableOfflineQueue: true,
    pingInterval: undefined,
  });
  if (!canSubscribe(duplicate)) throw noDuplicate(name);
  duplicate.unref?.();
  return duplicate;
}

/** Retrying does not help. */
function noDuplicate(name: string): UnavailableError {
  const what = "the client that was passed to open() has no duplicate() that can subscribe";
  const advice =
    'Pass one made by createClient() of "@redis/client", or have your wrapper forward duplicate()';
  return new UnavailableError(`${name}: ${what}. ${advice}`, { outcome: "none", lasting: true });
}

function canSubscribe(client: unknown): client is ServerConnection & { unref?(): void } {
  if (typeof client !== "object" || client === null) return false;
  const methods = client as Record<string, unknown>;
  return ["connect", "subscribe", "sendCommand", "on", "destroy"].every(
    (name) => typeof methods[name] === "function",
  );
}
