// The fault kit: real faults, done to real servers, connections and processes. Tests and `npm run torture` share it.
//
// | what | how |
// |---|---|
// | a Redis that stops, dies, comes back empty, from its append-only file or from a snapshot | `startRedis` (`appendonly`), `RedisServer`: `pause`, `resume`, `kill`, `start`, `restart`; `crash` |
// | a primary with replicas, replication that is cut, a promotion | `startGroup` |
// | Sentinels that fail over, planned or when the primary is killed | `startSentinels` |
// | a cluster: a slot that moves at once or key by key, an owner that is killed, hangs, or changes places with a replica | `startCluster` |
// | a server whose clock jumps; several processes that share a clock that jumps | `startRedisWithClock`; `FakeClock` (Debian's libfaketime) |
// | exactly the nth reply or request of a command lost, late, or held back as a late copy | `startProxy`, which reads the protocol |
// | a network that is slow, narrow, hangs, breaks, refuses, or leads to another server | `startLink`, which moves bytes |
// | processes stopped and killed | `stopProcess`, `continueProcess`, `killProcess`; with orders: `Worker` (op `block`: its event loop stands still) |
// | a client whose wall clock jumps | `fakeWallClock`, inside of that process |
//
// Each fault resolves when it is seen to have happened (the process is stopped, the server answers with its new clock, the
// replica calls itself primary), never after a guess of how long that takes. How long a fault lasts is up to the caller.

export { freePort, startRedis, type RedisOptions, type RedisServer } from "../redis-server.ts";
export { startProxy, type Fault, type Proxy, type SeenCommand } from "../proxy.ts";
export { killAll, Worker, WorkerError } from "../workers.ts";
export { crash, snapshot } from "./crash.ts";
export { startGroup, type Group } from "./group.ts";
export { FakeClock, hourMs } from "./fake-clock.ts";
export { startLink, type Link } from "./link.ts";
export { startCluster, type Cluster } from "./cluster.ts";
export { primaryName, startSentinels, type SentinelGroup } from "./sentinels.ts";
export { continueProcess, killProcess, stopProcess } from "./processes.ts";
export { startRedisWithClock, type RedisWithClock, type ServerClock } from "./server-clock.ts";
export { fakeWallClock, type WallClock } from "./wall-clock.ts";
