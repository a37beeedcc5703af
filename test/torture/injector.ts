// Injects faults, chosen by the seed, in several streams side by side: two on processes, two on their ways to the server, one on
// the server itself. Each fault is recorded when it begins and when it is over. Of two that do the same thing to the same
// process or connection, the second waits for another choice.

import { setTimeout as sleep } from "node:timers/promises";

import type { Link, Proxy } from "../support/faults/index.ts";
import { leap, redis, type Catalogue, type Fault, type Scene, type Stage } from "./faults/fault.ts";
import { onCluster } from "./faults/on-cluster.ts";
import { onServer } from "./faults/on-server.ts";
import { Random } from "./random.ts";

/** How often, compared with the others. */
const weights: Readonly<Record<string, number>> = {
  failover: 4,
  "planned-failover": 2,
  "slot-key-by-key": 3,
  "slot-at-once": 3,
  "server-kill": 2,
  hang: 3,
  "late-copy": 4,
  "lose-reply": 3,
};

/** On a process, or on its way to the server, which nothing else of this kind is at work on. */
function onPlace(
  work: (scene: Scene, place: number, mark: (details?: object) => void) => Promise<void>,
): Fault {
  return async (scene, mark) => {
    const { team, random, taken } = scene;
    const free = Array.from({ length: team.size }, (_, place) => place).filter((place) => !taken.has(place));
    if (free.length === 0) return;
    const place = random.pick(free);
    taken.add(place);
    try {
      await work(scene, place, (details) => mark({ on: team.life(place), ...details }));
    } finally {
      taken.delete(place);
    }
  };
}

const onProcesses: Catalogue = {
  "worker-kill": onPlace(async ({ team, random }, place, mark) => {
    mark();
    await team.kill(place);
    await sleep(random.whole(0, 500));
    team.revive(place);
  }),
  /** Up to twice the default lease of the check. */
  "worker-stop": onPlace(async ({ team, random }, place, mark) => {
    mark();
    await team.stop(place);
    await sleep(random.whole(50, 3_000));
    await team.continue(place);
  }),
  "worker-block": onPlace(async ({ team, random }, place, mark) => {
    mark();
    await team.order(place, { do: "block", ms: random.whole(20, 2_500) });
  }),
  "worker-clock": onPlace(async ({ team, random }, place, mark) => {
    const ms = leap(random) * (random.chance(0.5) ? 1 : -1);
    mark({ ms });
    await team.order(place, { do: "clock", ms });
  }),
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

const onWays: Catalogue = {
  "lose-reply": onPlace(async (scene, place, mark) => {
    await strike(scene, { place, mark, fault: "lose-reply" });
  }),
  "lose-request": onPlace(async (scene, place, mark) => {
    await strike(scene, { place, mark, fault: "lose-request" });
  }),
  /** The first copy of a command arrives after its retry. */
  "late-copy": onPlace(async (scene, place, mark) => {
    const proxy = await strike(scene, { place, mark, fault: "hold-back" });
    await sleep(scene.random.whole(0, scene.random.pick([30, 400])));
    await proxy.deliver();
  }),
  /** What is sent is swallowed; nothing of it arrives later. */
  "black-hole": onPlace(async (scene, place, mark) => {
    const proxy = proxyOf(scene, place);
    mark();
    proxy.frozen = true;
    await sleep(scene.random.whole(200, 3_000));
    proxy.frozen = false;
  }),
  /** Nothing moves; afterwards all of it arrives, late. */
  hang: onPlace(async (scene, place, mark) => {
    const link = linkOf(scene, place);
    mark();
    link.hanging = true;
    await sleep(scene.random.whole(100, 3_000));
    link.hanging = false;
  }),
  delay: onPlace(async (scene, place, mark) => {
    const link = linkOf(scene, place);
    link.delayMs = scene.random.whole(5, 120);
    mark({ ms: link.delayMs });
    await sleep(scene.random.whole(500, 3_000));
    link.delayMs = 0;
  }),
  cut: onPlace(async (scene, place, mark) => {
    mark();
    linkOf(scene, place).cut();
  }),
  throttle: onPlace(async (scene, place, mark) => {
    const link = linkOf(scene, place);
    link.bytesPerSecond = scene.random.whole(20_000, 300_000);
    mark({ bytesPerSecond: link.bytesPerSecond });
    await sleep(scene.random.whole(500, 2_000));
    link.bytesPerSecond = Infinity;
  }),
};

/** Strikes one of the next commands of one process; if none comes by in time, that is that. */
async function strike(
  scene: Scene,
  {
    place,
    mark,
    fault,
  }: { place: number; mark: (details: object) => void; fault: "lose-reply" | "lose-request" | "hold-back" },
): Promise<Proxy> {
  const proxy = proxyOf(scene, place);
  // Commands that give something back are the dangerous ones: half of the strikes wait for them.
  const which = scene.random.chance(0.5) ? /^(release|commit|cancel)/ : /^[a-z]/; // our scripts have names in small letters
  let left = scene.random.whole(1, 12);
  mark({ nth: left, which: which.source });
  await new Promise<void>((resolve) => {
    const giveUp = setTimeout(resolve, 2_000);
    proxy.fault = ({ name }) => {
      if (!which.test(name) || (left -= 1) !== 0) return undefined;
      clearTimeout(giveUp);
      resolve();
      return fault;
    };
  });
  proxy.fault = () => undefined;
  proxy.seen.length = 0;
  return proxy;
}

const proxyOf = (scene: Scene, place: number): Proxy => redis(scene).proxyOf(place);
const linkOf = (scene: Scene, place: number): Link => redis(scene).linkOf(place);

/** Injects until told to stop; resolves when the last fault is over. Each stream has its own choices, which the seed repeats. */
export async function inject(
  { seed, ...stage }: Stage & { seed: string },
  faults: readonly string[],
  stopped: AbortSignal,
): Promise<void> {
  const streams = [
    { catalogue: onProcesses, count: 2 },
    { catalogue: onWays, count: 2 },
    { catalogue: { ...onServer, ...(stage.world.redis?.cluster && onCluster) }, count: 1 },
  ];
  await Promise.all(
    streams.flatMap(({ catalogue, count }, kind) => {
      const taken = new Set<number>();
      const names = faults.filter((fault) => fault in catalogue);
      return Array.from({ length: count }, (_, n) =>
        stream({ ...stage, taken, random: new Random(`${seed} ${kind} ${n}`) }, catalogue, {
          names,
          stopped,
        }),
      );
    }),
  );
}

async function stream(
  scene: Scene,
  catalogue: Catalogue,
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
