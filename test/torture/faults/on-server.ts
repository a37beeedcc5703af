// Faults of the server itself, or of the one that decides.

import { setTimeout as sleep } from "node:timers/promises";

import { continueProcess, crash, stopProcess, type Group } from "../../support/faults/index.ts";
import { leap, redis, type Catalogue, type Scene } from "./fault.ts";

const groupOf = (scene: Pick<Scene, "world">): Group => redis(scene).group!;

export const onServer: Catalogue = {
  "server-kill": async ({ random, ...scene }, mark) => {
    mark();
    await crash(redis(scene).server(), "disk", random.whole(0, 800));
  },
  "server-stop": async ({ random, ...scene }, mark) => {
    const { pid } = redis(scene).server();
    mark();
    await stopProcess(pid);
    await sleep(random.whole(50, 2_500));
    await continueProcess(pid);
  },
  "server-clock": async ({ random, ...scene }, mark) => {
    const ms = random.chance(0.6) ? leap(random) : -random.whole(500, 5_000);
    mark({ ms });
    await redis(scene).clock?.jump(ms);
  },
  "clients-kill": async ({ random, ...scene }, mark) => {
    const type = random.pick(["normal", "pubsub", ...(redis(scene).group === undefined ? [] : ["replica"])]);
    mark({ type });
    await redis(scene).server().command("CLIENT", "KILL", "TYPE", type);
  },
  /** On or off until the next time: the server closes connections on which nobody has asked anything for a second. */
  "idle-timeout": async ({ random, ...scene }, mark) => {
    const seconds = random.pick([0, 1, 1]);
    mark({ seconds });
    await redis(scene).server().command("CONFIG", "SET", "timeout", String(seconds));
  },
  "scripts-flush": async (scene, mark) => {
    mark();
    await redis(scene).server().command("SCRIPT", "FLUSH");
  },
  "replication-cut": async ({ random, ...scene }, mark) => {
    const group = groupOf(scene);
    mark();
    group.cutReplication();
    await sleep(random.whole(50, 2_000));
    group.healReplication();
  },
  failover: async ({ random, ...scene }, mark) => {
    const group = groupOf(scene);
    await group.inSync();
    mark();
    if (random.chance(0.7)) {
      group.cutReplication();
      await sleep(random.whole(0, 500));
    }
    await group.killPrimary();
    await sleep(random.whole(0, 500));
    // Whoever asks for one replica's acknowledgement counts on the one that has it.
    await group.promote(await group.mostAdvanced());
    await group.addReplica();
  },
};
