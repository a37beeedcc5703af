// Faults of a cluster: its slot moves, its nodes die or hang. Each is over when the cluster is whole again, since two at once
// could take a node away together with its replica.
//
// Only a failover may lose something: a node that dies or hangs has acknowledged what its replica does not have.

import { setTimeout as sleep } from "node:timers/promises";

import { redis, type Catalogue, type Scene } from "./fault.ts";
import type { SlotOwner } from "../cluster-world.ts";

const slotOf = (scene: Pick<Scene, "world">): SlotOwner => redis(scene).cluster!;

export const onCluster: Catalogue = {
  failover: async ({ random, ...scene }, mark) => {
    const how = random.pick(["kill", "pause"] as const);
    mark({ how });
    const slot = slotOf(scene);
    const { owner, cluster, key } = slot;
    await slot.change(() => (how === "kill" ? cluster.killOwner(key) : cluster.pauseOwner(key)));
    await sleep(random.whole(0, 1_000));
    await cluster.revive(owner);
  },
  "planned-failover": async (scene, mark) => {
    mark();
    await slotOf(scene).change(({ cluster, key }) => cluster.failOver(key));
  },
  "slot-key-by-key": async ({ random, ...scene }, mark) => {
    const restMs = random.pick([0, random.whole(0, 1_500)]);
    mark({ restMs });
    await slotOf(scene).change(({ cluster, key }) => cluster.moveKeyByKey(key, () => sleep(restMs)));
  },
  "slot-at-once": async (scene, mark) => {
    mark();
    await slotOf(scene).change(({ cluster, key }) => cluster.moveAtOnce(key));
  },
  /** One that does not own the slot; if it is a primary, its own replica may take over. */
  "other-node": async ({ random, ...scene }, mark) => {
    const { cluster, owner } = slotOf(scene);
    const node = random.pick(cluster.nodes.filter((one) => one !== owner));
    const how = random.pick(["kill", "pause"] as const);
    mark({ how });
    if (how === "kill") await node.kill();
    else node.pause();
    await sleep(random.whole(50, 4_000));
    await cluster.revive(node);
  },
};
