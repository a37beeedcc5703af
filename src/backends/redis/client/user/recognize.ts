/**
 * Decides by its members, not by its class, whether `open()` accepts a client; if not, the error says what was passed and
 * what to pass instead. Faults that show only in use (a client that converts bytes) are found by the startup checks.
 */
import { InvalidArgumentError } from "../../../../errors.ts";
import { isIoredisClient, isOfIoredis, optionsOf, type IoredisClientLike } from "./ioredis-types.ts";
import type { RedisClientLike } from "../node-redis-types.ts";
import { isSentinelClient, type SentinelClientLike } from "./sentinel-types.ts";

export type UserClientLike = RedisClientLike | IoredisClientLike | SentinelClientLike;

interface Unsupported {
  readonly is: (client: Readonly<Record<string, unknown>>) => boolean;
  readonly what: string;
  readonly advice: string;
}

const oneServer =
  'Pass a URL, a connected client made by createClient() of "@redis/client", or a Redis of "ioredis"';
const ofCluster =
  "Pass a URL such as redis+cluster://host:port,host:port instead; Holdfast has no adapter for clients of clusters yet";
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
    is: (client) => isOfIoredis(client) && client["isCluster"] === true,
    what: "a Cluster of ioredis",
    advice: ofCluster,
  },
  {
    is: (client) => "masters" in client || has("getRandomNode", "getSlotRandomNode")(client),
    what: 'a client made by createCluster() of "@redis/client"',
    advice: ofCluster,
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
    is: (client) => "defineCommand" in client && !isIoredisClient(client),
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

/** Whether `open()` can use it; throws InvalidArgumentError for what is nearly such a client. */
export function isUserClient(value: unknown): value is UserClientLike {
  if (typeof value !== "object" || value === null) return false;
  refuseUnsupported(value);
  if (isIoredisClient(value) || isSentinelClient(value)) return true;
  const client = value as Readonly<Record<string, unknown>>;
  return typeof client["sendCommand"] === "function" && "isReady" in client;
}

/** Throws InvalidArgumentError that says what it got, and what to pass. */
export function refuseUnsupported(client: object): void {
  const found = unsupported.find(({ is }) => is(client as Readonly<Record<string, unknown>>));
  if (found !== undefined) throw new InvalidArgumentError(`open() got ${found.what}. ${found.advice}.`);
  if (isIoredisClient(client)) refuseSettings(client);
}

/** Options with which it cannot serve, each with a remedy. */
function refuseSettings(client: IoredisClientLike): void {
  const { keyPrefix, stringNumbers, sentinels, role } = optionsOf(client);
  const isPrefixed = (typeof keyPrefix === "string" || Buffer.isBuffer(keyPrefix)) && keyPrefix.length > 0;
  if (isPrefixed) {
    throw refusal(
      "keyPrefix",
      "ioredis puts it before some of the keys only, since scripts make keys by themselves",
      'Pass client.duplicate({ keyPrefix: "" }), and give the prefix to open(client, { prefix })',
    );
  }
  if (stringNumbers === true) {
    throw refusal(
      "stringNumbers",
      "the numbers of replies would arrive as strings",
      "Pass client.duplicate({ stringNumbers: false })",
    );
  }
  if (Array.isArray(sentinels) && role === "slave") {
    throw refusal('role: "slave"', "replicas accept no writes", 'Pass client.duplicate({ role: "master" })');
  }
  if (client.mode !== "normal") throw inOtherMode(client.mode);
}

function refusal(option: string, why: string, advice: string): InvalidArgumentError {
  return new InvalidArgumentError(`open() got a client of ioredis with ${option}: ${why}. ${advice}.`);
}

/** A subscriber or a monitor sends no other commands. */
export function inOtherMode(mode: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `The client of ioredis that was passed to open() is in ${mode} mode, in which it sends no other commands. ` +
      `Pass client.duplicate().`,
  );
}
