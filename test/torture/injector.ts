// Injects faults, chosen by the seed: one stream of them on processes, one on the server and the ways to it, side by side.
// Each is recorded when it begins and when it is over.

import { setTimeout as sleep } from "node:timers/promises";

import { continueProcess, crash, stopProcess, type Proxy } from "../faults/index.ts";
import { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { Team } from "./team.ts";
import type { RedisWorld, World } from "./world.ts";

export interface Scene {
  readonly world: World;
  readonly team: Team;
  readonly random: Random;
  readonly recorder: Recorder;
  /** How often each was injected, as it goes. */
  readonly injected: Map<string, number>;
}

/** Does it once, and resolves when it is over. */
type Fault = (scene: Scene, mark: (details?: object) => void) => Promise<void>;

/** How often, compared with the others. */
const weights: Readonly<Record<string, number>> = {
  failover: 4,
  "server-kill": 2,
  "late-copy": 2,
  "lose-reply": 2,
};

const hourMs = 3_600_000;

/** A leap of an hour, or a small one; backward only a little on servers, since leases that were told in absolute times last so much longer. */
const leap = (random: Random): number => (random.chance(0.3) ? hourMs : random.whole(500, 20_000));

function onPlace(work: (scene: Scene, place: number) => Promise<void>): Fault {
  return (scene, mark) =>
    scene.team.withPlace(
      (free) => scene.random.pick(free),
      async (place) => {
        mark({ on: scene.team.life(place) });
        await work(scene, place);
      },
    );
}

const onProcesses: Readonly<Record<string, Fault>> = {
  "worker-kill": onPlace(async ({ team, random }, place) => {
    await team.kill(place);
    await sleep(random.whole(0, 500));
    team.revive(place);
  }),
  /** Up to twice the default lease of the check. */
  "worker-stop": onPlace(async ({ team, random }, place) => {
    await team.stop(place);
    await sleep(random.whole(50, 3_000));
    await team.continue(place);
  }),
  "worker-block": onPlace(({ team, random }, place) =>
    team.order(place, { do: "block", ms: random.whole(20, 2_500) }),
  ),
  "worker-clock": onPlace(({ team, random }, place) =>
    team.order(place, { do: "clock", ms: leap(random) * (random.chance(0.5) ? 1 : -1) }),
  ),
  /** One clock for all processes, as a machine has. */
  async "machine-clock"({ team, random }, mark) {
    const ms = random.chance(0.5) ? leap(random) : -random.whole(500, 5_000);
    mark({ ms });
    team.clockOffsetMs += ms;
    await Promise.all(
      Array.from({ length: team.size }, (_, place) => team.order(place, { do: "clock", ms })),
    );
  },
};

const onNetwork: Readonly<Record<string, Fault>> = {
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
    const type = random.pick(["normal", "pubsub"]);
    mark({ type });
    await redis(scene).server().command("CLIENT", "KILL", "TYPE", type);
  },
  "scripts-flush": async (scene, mark) => {
    mark();
    await redis(scene).server().command("SCRIPT", "FLUSH");
  },
  "lose-reply": async (scene, mark) => {
    await strike(scene, mark, "lose-reply");
  },
  "lose-request": async (scene, mark) => {
    await strike(scene, mark, "lose-request");
  },
  /** The first copy of a command arrives after its retry. */
  "late-copy": async (scene, mark) => {
    const proxy = await strike(scene, mark, "hold-back");
    await sleep(scene.random.whole(0, 1_500));
    await proxy.deliver();
  },
  /** What is sent is swallowed; nothing of it arrives later. */
  "black-hole": async (scene, mark) => {
    const [place, proxy] = anyProxy(scene);
    mark({ on: scene.team.life(place) });
    proxy.frozen = true;
    await sleep(scene.random.whole(200, 3_000));
    proxy.frozen = false;
  },
  /** Nothing moves; afterwards all of it arrives, late. */
  hang: async ({ random, ...scene }, mark) => {
    const { link } = redis(scene);
    mark();
    link.hanging = true;
    await sleep(random.whole(100, 3_000));
    link.hanging = false;
  },
  delay: async ({ random, ...scene }, mark) => {
    const { link } = redis(scene);
    link.delayMs = random.whole(5, 120);
    mark({ ms: link.delayMs });
    await sleep(random.whole(500, 3_000));
    link.delayMs = 0;
  },
  cut: async (scene, mark) => {
    const [place, proxy] = anyProxy(scene);
    const all = scene.random.chance(0.5);
    mark(all ? {} : { on: scene.team.life(place) });
    if (all) redis(scene).link.cut();
    else proxy.cut();
  },
  throttle: async ({ random, ...scene }, mark) => {
    const { link } = redis(scene);
    link.bytesPerSecond = random.whole(50_000, 500_000);
    mark({ bytesPerSecond: link.bytesPerSecond });
    await sleep(random.whole(500, 2_000));
    link.bytesPerSecond = Infinity;
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

/** Strikes one of the next commands of one process; if none comes by in time, that is that. */
async function strike(
  scene: Scene,
  mark: (details: object) => void,
  fault: "lose-reply" | "lose-request" | "hold-back",
): Promise<Proxy> {
  const [place, proxy] = anyProxy(scene);
  let left = scene.random.whole(1, 25);
  mark({ on: scene.team.life(place), nth: left });
  await new Promise<void>((resolve) => {
    const giveUp = setTimeout(resolve, 2_000);
    proxy.fault = ({ name }) => {
      if (!/^[a-z]/.test(name) || (left -= 1) !== 0) return undefined; // our scripts have names in small letters
      clearTimeout(giveUp);
      resolve();
      return fault;
    };
  });
  proxy.fault = () => undefined;
  proxy.seen.length = 0;
  return proxy;
}

const redis = ({ world }: Pick<Scene, "world">): RedisWorld => world.redis!;
const groupOf = (scene: Pick<Scene, "world">) => redis(scene).group!;

function anyProxy({ world, random }: Pick<Scene, "world" | "random">): [number, Proxy] {
  const { proxies } = redis({ world });
  const place = random.whole(0, proxies.length - 1);
  return [place, proxies[place]!];
}

/** Injects until told to stop; resolves when the last fault is over. Each stream has its own choices, which the seed repeats. */
export async function inject(
  { seed, ...scene }: Omit<Scene, "random"> & { seed: string },
  faults: readonly string[],
  stopped: AbortSignal,
): Promise<void> {
  const of = (catalogue: Readonly<Record<string, Fault>>, name: string): Promise<void> => {
    const names = faults.filter((fault) => fault in catalogue);
    return stream({ ...scene, random: new Random(`${seed} ${name}`) }, catalogue, { names, stopped });
  };
  await Promise.all([of(onProcesses, "processes"), of(onNetwork, "network")]);
}

async function stream(
  scene: Scene,
  catalogue: Readonly<Record<string, Fault>>,
  { names, stopped }: { names: readonly string[]; stopped: AbortSignal },
): Promise<void> {
  const chances = Object.fromEntries(names.map((name) => [name, weights[name] ?? 1]));
  while (names.length > 0 && !stopped.aborted) {
    await sleep(scene.random.whole(50, 800));
    if (stopped.aborted) return;
    const name = scene.random.weighted(chances);
    let on: object = {};
    let begun = false;
    const mark = (details: object = {}): void => {
      on = "on" in details ? { on: details.on } : {};
      begun = true;
      scene.injected.set(name, (scene.injected.get(name) ?? 0) + 1);
      scene.recorder.write("fault", { name, phase: "begin", ...details });
    };
    try {
      await catalogue[name]?.(scene, mark);
    } catch (error) {
      scene.recorder.write("fault-failed", { name, why: String(error) });
    }
    if (begun) scene.recorder.write("fault", { name, phase: "end", ...on });
  }
}
