// What the scenarios run on: one Redis server, or, with HOLDFAST_TEST_ON=cluster, a cluster of three primaries and three
// replicas. The project `cluster` of vitest sets that; test/scenarios/not-on-a-cluster.ts says which files it leaves out.

import { describe } from "vitest";

import { documentedClusterRights, documentedRule } from "./acl.ts";
import {
  ClusterServer,
  startClusterProxy,
  startClusterServer,
  type ClusterProxy,
} from "./faults/cluster-server.ts";
import { startProxy, type Proxy } from "./proxy.ts";
import { startRedis, type RedisOptions, type RedisServer } from "./redis-server.ts";

export const isOnCluster = process.env["HOLDFAST_TEST_ON"] === "cluster";

/** The library's own prefix there. */
export const prefix = isOnCluster ? "{holdfast}:" : "holdfast:";

/** What wakes are sent with there, as commands and as the server counts them. */
export const wakesBy = isOnCluster
  ? ({ subscribe: "SSUBSCRIBE", publish: "SPUBLISH", channels: "SHARDCHANNELS" } as const)
  : ({ subscribe: "SUBSCRIBE", publish: "PUBLISH", channels: "CHANNELS" } as const);

type Shared<A, B> = Pick<A, keyof A & keyof B>;
export type TestServer = Shared<RedisServer, ClusterServer>;
export type TestProxy = Shared<Proxy, ClusterProxy>;

export function startServer(options: RedisOptions = {}): Promise<TestServer> {
  return isOnCluster ? startClusterServer(options) : startRedis(options);
}

/** Before all nodes of a cluster. */
export function startProxyBefore(server: TestServer): Promise<TestProxy> {
  return server instanceof ClusterServer ? startClusterProxy(server) : startProxy(server as RedisServer);
}

/** A line of an ACL file: the documented user by another name and password. */
export function userLine(name: string, password: string): string {
  const rule = documentedRule().replace("user app on >password", () => `user ${name} on >${password}`);
  const rights = isOnCluster ? documentedClusterRights() : [];
  return [rule.replaceAll("holdfast:", prefix), ...rights].join(" ");
}

/** As `describe`, for a backend without a server: it is not tested again on a cluster. */
export const describeWithoutServer: (name: string, tests: () => void) => void = isOnCluster
  ? () => undefined
  : describe;

/** The backends that processes can share. */
export const sharedBackends: readonly ("Redis" | "SQLite")[] = isOnCluster ? ["Redis"] : ["Redis", "SQLite"];
