// What a fault is given, and what all of them share.

import { hourMs } from "../../support/faults/index.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { Team } from "../team.ts";
import type { RedisWorld, World } from "../world.ts";

export interface Stage {
  readonly world: World;
  readonly team: Team;
  readonly recorder: Recorder;
  /** How often each was injected, as it goes. */
  readonly injected: Map<string, number>;
}

export interface Scene extends Stage {
  readonly random: Random;
  /** Places that a fault of this kind is at work on. */
  readonly taken: Set<number>;
}

/** Does it once, and resolves when it is over. */
export type Fault = (scene: Scene, mark: (details?: object) => void) => Promise<void>;
export type Catalogue = Readonly<Record<string, Fault>>;

/** A leap of an hour, or a small one. Back only a little on servers: leases are points in time there, and last so much longer. */
export const leap = (random: Random): number => (random.chance(0.3) ? hourMs : random.whole(500, 20_000));

export const redis = ({ world }: Pick<Scene, "world">): RedisWorld => world.redis!;
