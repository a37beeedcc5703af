// The scenarios that are not run on a cluster, and why. All others are: `npm run test:apart`, in the project `cluster`.

export const notOnACluster: Readonly<Record<string, string>> = {
  "coverage.test.ts": "it has no server",
  "servers/primary-killed-and-replica-promoted.test.ts":
    "a cluster's replicas cannot be cut off by a proxy, since they learn their primary's address from its nodes; " +
    "test/integration/redis/cluster/moves.test.ts kills owners under load, and so does torture",
  "servers/replica-promoted-without-broken-connections.test.ts":
    "no address stays while the server behind it changes: clients learn of a new owner from MOVED, and subscriptions to " +
    "sharded channels end; test/integration/redis/cluster/moves.test.ts lets owner and replica change places",
};
