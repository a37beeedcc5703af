// What open() refuses of clients of clusters, each with a remedy, and what it says of one that is not connected.
//
// Seen failing: refused-settings.ts does not refuse; user-cluster.ts asks a client that was ended, which takes all the time.

import { once } from "node:events";

import { createCluster } from "@redis/client";
import { Cluster } from "ioredis";
import { createCluster as createOlderCluster } from "redis-client-1";
import { expect, test } from "vitest";

import { open, type Target } from "../../../../src/index.ts";
import { failures, TestClient } from "../clients.ts";

/** None of them is connected. */
const atTheDoor: readonly (readonly [what: string, make: () => object, got: string, advice: RegExp])[] = [
  [
    "a Cluster of ioredis with a key prefix",
    () => new Cluster([], { lazyConnect: true, keyPrefix: "shop:" }),
    "a Cluster of ioredis with keyPrefix",
    /duplicate\(\[\], \{ keyPrefix: "" \}\).*open\(client, \{ prefix \}\)/,
  ],
  [
    "a Cluster of ioredis with a key prefix for its nodes",
    () => new Cluster([], { lazyConnect: true, redisOptions: { keyPrefix: "shop:" } }),
    "a Cluster of ioredis with keyPrefix",
    /redisOptions: \{ \.\.\.client\.options\.redisOptions, keyPrefix: "" \}/,
  ],
  [
    "a Cluster of ioredis that reads from replicas",
    () => new Cluster([], { lazyConnect: true, scaleReads: "slave" }),
    "a Cluster of ioredis with scaleReads",
    /duplicate\(\[\], \{ scaleReads: "master" \}\)/,
  ],
  [
    "a Cluster of ioredis with a database",
    () => new Cluster([], { lazyConnect: true, redisOptions: { db: 2 } }),
    "a Cluster of ioredis with redisOptions.db",
    /only database 0/,
  ],
  [
    "a part of a Cluster of ioredis",
    () => Object.assign(new Cluster([], { lazyConnect: true }), { nodes: undefined }),
    "a client of a cluster, of an unknown version",
    /createCluster\(\).*Cluster of "ioredis" 5 or 6.*redis\+cluster:/,
  ],
  [
    "a cluster with a key prefix",
    () => createCluster({ rootNodes: [], keyPrefix: "shop:" }),
    "a client made by createCluster() with keyPrefix",
    /duplicate\(\{ keyPrefix: "" \}\).*open\(client, \{ prefix \}\)/,
  ],
  [
    "a cluster that reads from replicas",
    () => createCluster({ rootNodes: [], useReplicas: true }),
    "a client made by createCluster() with useReplicas",
    /duplicate\(\{ useReplicas: false \}\)/,
  ],
  [
    "a cluster with a database",
    () => createCluster({ rootNodes: [], defaults: { database: 2 } }),
    "a client made by createCluster() with defaults.database",
    /only database 0/,
  ],
  [
    "a cluster of redis 4",
    () => createOlderCluster({ rootNodes: [] }),
    "a client of a cluster, of an unknown version",
    /createCluster\(\).*redis\+cluster:/,
  ],
];

test.each(atTheDoor)("%s is refused, with what was got and what to pass", (_, make, got, advice) => {
  const use = (): unknown => open(make() as Target);
  expect(use).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", outcome: "none" }));
  expect(use).toThrow(got);
  expect(use).toThrow(advice);
});

test("the advice for clients of clusters is accepted", () => {
  const redisOptions = { keyPrefix: "shop:" };
  const ofIoredis = new Cluster([], { lazyConnect: true, scaleReads: "all", redisOptions });
  const mended = ofIoredis.duplicate([], {
    keyPrefix: "",
    scaleReads: "master",
    redisOptions: { ...ofIoredis.options.redisOptions, keyPrefix: "" },
  });
  const official = createCluster({ rootNodes: [], keyPrefix: "shop:", useReplicas: true });
  const options = { prefix: "{shop}:" };
  expect(() => open(mended, options)).not.toThrow();
  expect(() => open(official.duplicate({ keyPrefix: "", useReplicas: false }), options)).not.toThrow();
});

test("a client of a cluster with a prefix without a hash tag: refused, with the prefix to write", () => {
  for (const client of [new Cluster([], { lazyConnect: true }), createCluster({ rootNodes: [] })])
    expect(() => open(client, { prefix: "shop:" })).toThrow(/hash tag.*"\{shop\}:" instead of "shop:"/);
});

test("[S5] a client of a cluster that is not connected, or was closed: nothing was done, and what to do", async () => {
  const official = createCluster({ rootNodes: [{ socket: { host: "127.0.0.1", port: 1 } }] });
  const ofIoredis = new Cluster([], { lazyConnect: true });
  const ended = once(ofIoredis, "end");
  ofIoredis.disconnect();
  await ended;
  for (const [client, advice] of [
    [official, /not connected; connect it first/],
    [ofIoredis, /was ended.*Call its connect\(\)/],
  ] as const) {
    const options = { prefix: "{t}:", operationMs: 1_500 };
    const [error] = await failures(new TestClient(client, options).backend.ready());
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(error?.message).toMatch(advice);
  }
});
