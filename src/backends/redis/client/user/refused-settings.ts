/** Settings of a user's client with which it cannot serve: refused by `open()`, each with a remedy. */
import { InvalidArgumentError } from "../../../../errors.ts";
import {
  clusterOptions,
  ioredisClusterOptions,
  isIoredisCluster,
  type ClusterClientLike,
  type IoredisClusterLike,
} from "./cluster-types.ts";
import { optionsOf, type IoredisClientLike } from "./ioredis-types.ts";

const ioredis = "a client of ioredis";
const partOfKeys = "it puts it before some of the keys only, since scripts make keys by themselves";

export function refuseIoredis(client: IoredisClientLike): void {
  const { keyPrefix, stringNumbers, sentinels, role } = optionsOf(client);
  if (isPrefix(keyPrefix)) throw prefixed(ioredis, 'client.duplicate({ keyPrefix: "" })');
  if (stringNumbers === true) {
    const why = "the numbers of replies would arrive as strings";
    throw refusal(`${ioredis} with stringNumbers`, why, "client.duplicate({ stringNumbers: false })");
  }
  if (Array.isArray(sentinels) && role === "slave") {
    const why = "replicas accept no writes";
    throw refusal(`${ioredis} with role: "slave"`, why, 'client.duplicate({ role: "master" })');
  }
  if (client.mode !== "normal") throw inOtherMode(client.mode);
}

/** What concerns the cluster as a whole; settings of connections are in the clients of its nodes, which are duplicated. */
export function refuseCluster(client: ClusterClientLike | IoredisClusterLike): void {
  if (isIoredisCluster(client)) refuseIoredisCluster(client);
  else refuseOfficialCluster(client);
}

function refuseIoredisCluster(client: IoredisClusterLike): void {
  const what = "a Cluster of ioredis";
  const { keyPrefix, scaleReads = "master", redisOptions } = ioredisClusterOptions(client);
  if (isPrefix(redisOptions?.keyPrefix)) {
    const ofNodes = 'redisOptions: { ...client.options.redisOptions, keyPrefix: "" }';
    throw prefixed(what, `client.duplicate([], { keyPrefix: "", ${ofNodes} })`);
  }
  if (isPrefix(keyPrefix)) throw prefixed(what, 'client.duplicate([], { keyPrefix: "" })');
  if (scaleReads !== "master")
    throw readsReplicas(`${what} with scaleReads`, 'client.duplicate([], { scaleReads: "master" })');
  if (isDatabase(redisOptions?.db)) throw inDatabase(what, "redisOptions.db");
}

function refuseOfficialCluster(client: ClusterClientLike): void {
  const what = "a client made by createCluster()";
  const { keyPrefix, useReplicas, defaults } = clusterOptions(client);
  if (isPrefix(keyPrefix)) throw prefixed(what, 'client.duplicate({ keyPrefix: "" })');
  if (useReplicas === true)
    throw readsReplicas(`${what} with useReplicas`, "client.duplicate({ useReplicas: false })");
  if (isDatabase(defaults?.database)) throw inDatabase(what, "defaults.database");
}

function isPrefix(option: unknown): boolean {
  return (typeof option === "string" || Buffer.isBuffer(option)) && option.length > 0;
}

function isDatabase(option: unknown): boolean {
  return option !== undefined && option !== null && Number(option) !== 0;
}

function prefixed(what: string, instead: string): InvalidArgumentError {
  return refusal(
    `${what} with keyPrefix`,
    partOfKeys,
    `${instead}, and give the prefix to open(client, { prefix })`,
  );
}

function readsReplicas(what: string, instead: string): InvalidArgumentError {
  return refusal(what, "replicas may be behind, so Holdfast reads from primaries only", instead);
}

function inDatabase(what: string, option: string): InvalidArgumentError {
  return refusal(`${what} with ${option}`, "a cluster has only database 0", "a client without it");
}

function refusal(what: string, why: string, instead: string): InvalidArgumentError {
  return new InvalidArgumentError(`open() got ${what}: ${why}. Pass ${instead}.`);
}

/** A subscriber or a monitor sends no other commands. */
export function inOtherMode(mode: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `The client of ioredis that was passed to open() is in ${mode} mode, in which it sends no other commands. ` +
      `Pass client.duplicate().`,
  );
}
