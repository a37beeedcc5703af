/**
 * Decides by its members, not by its class, whether `open()` accepts a client; if not, the error says what was passed and
 * what to pass instead. Faults that show only in use (a client that converts bytes) are found by the startup checks.
 */
import { InvalidArgumentError } from "../../../../errors.ts";
import {
  isClientOfCluster,
  isIoredisCluster,
  type ClusterClientLike,
  type IoredisClusterLike,
} from "./cluster-types.ts";
import { isIoredisClient, isOfIoredis, type IoredisClientLike } from "./ioredis-types.ts";
import { refuseCluster, refuseIoredis } from "./refused-settings.ts";
import type { RedisClientLike } from "../node-redis-types.ts";
import { isSentinelClient, type SentinelClientLike } from "./sentinel-types.ts";

export type UserClientLike =
  RedisClientLike | IoredisClientLike | SentinelClientLike | ClusterClientLike | IoredisClusterLike;

interface Unsupported {
  readonly is: (client: Readonly<Record<string, unknown>>) => boolean;
  readonly what: string;
  readonly advice: string;
}

const oneServer =
  'Pass a URL, a connected client made by createClient() of "@redis/client", or a Redis of "ioredis"';
const has =
  (...methods: string[]) =>
  (client: Readonly<Record<string, unknown>>): boolean =>
    methods.every((name) => typeof client[name] === "function");

/** The first match counts. */
const unsupported: readonly Unsupported[] = [
  { is: has("then"), what: "a promise", advice: "Await it, and pass what it resolves to" },
  {
    is: (client) => isOfIoredis(client) && client["isPipeline"] === true,
    what: "a pipeline of ioredis",
    advice: "Pass the client itself; Holdfast sends many commands together by itself",
  },
  {
    is: (client) => isClusterOfAny(client) && !isClientOfCluster(client),
    what: "a client of a cluster, of an unknown version",
    advice:
      'Pass a client made by createCluster() of "@redis/client" 5 or 6, a Cluster of "ioredis" 5 or 6, or a URL such as ' +
      "redis+cluster://host:port,host:port",
  },
  {
    is: (client) => "getMasterNode" in client && !isSentinelClient(client),
    what: "a Sentinel client of an unknown version",
    advice:
      'Pass a client made by createSentinel() of "@redis/client" 5 or 6, or a Redis of "ioredis" that was made with ' +
      "{ sentinels, name }",
  },
  {
    is: (client) => "totalClients" in client,
    what: 'a client made by createClientPool() of "@redis/client"',
    advice: `Its commands do not follow each other on one connection. ${oneServer}`,
  },
  {
    is: (client) => "defineCommand" in client && !isIoredisClient(client) && !isIoredisCluster(client),
    what: "a part of a client of ioredis: a wrapper, or an older version",
    advice: 'Pass a Redis of "ioredis" 5 or 6 itself',
  },
  {
    is: has("internal_send_command"),
    what: 'a client of "redis" 3 or older',
    advice: `It changes bytes into strings. ${oneServer} (version 5 or 6)`,
  },
  {
    is: has("sendCommand", "executeIsolated"),
    what: 'a client of "redis" 4 ("@redis/client" 1)',
    advice: `${oneServer} (version 5 or 6)`,
  },
  {
    is: has("customCommand", "invokeScript"),
    what: 'a client of "@valkey/valkey-glide"',
    advice: `Holdfast has no adapter for it. ${oneServer}`,
  },
  {
    is: has("acquire", "release", "destroy"),
    what: "a pool of clients",
    advice: `Its commands do not follow each other on one connection. ${oneServer}`,
  },
];

/** By what it has, it is meant for a cluster; whether it can serve is another question. */
function isClusterOfAny(client: Readonly<Record<string, unknown>>): boolean {
  return (
    (isOfIoredis(client) && client["isCluster"] === true) ||
    "masters" in client ||
    has("getRandomNode", "getSlotRandomNode")(client)
  );
}

/** Whether `open()` can use it; throws InvalidArgumentError for what is nearly such a client. */
export function isUserClient(value: unknown): value is UserClientLike {
  if (typeof value !== "object" || value === null) return false;
  refuseUnsupported(value);
  if (isIoredisClient(value) || isSentinelClient(value) || isClientOfCluster(value)) return true;
  const client = value as Readonly<Record<string, unknown>>;
  return typeof client["sendCommand"] === "function" && "isReady" in client;
}

/** Throws InvalidArgumentError that says what it got, and what to pass. */
export function refuseUnsupported(client: object): void {
  const found = unsupported.find(({ is }) => is(client as Readonly<Record<string, unknown>>));
  if (found !== undefined) throw new InvalidArgumentError(`open() got ${found.what}. ${found.advice}.`);
  if (isIoredisClient(client)) refuseIoredis(client);
  else if (isClientOfCluster(client)) refuseCluster(client);
}
