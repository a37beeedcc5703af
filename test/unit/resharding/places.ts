// Places in memory that stores can be moved between: each can be opened as a shard, and as a part of a move.

import { randomBytes } from "node:crypto";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { markId, readMark, type ShardMark } from "../../../src/backends/shard-mark.ts";
import { shardOf } from "../../../src/backends/shard-of.ts";
import { ShardedBackend } from "../../../src/backends/shards/backend.ts";
import { open, type Store } from "../../../src/index.ts";
import { moveStates } from "../../../src/resharding/move-states.ts";
import { Part } from "../../../src/resharding/part.ts";
import { FaultyBackend, type Fault } from "../../../src/testing/index.ts";

export class TestPlace {
  readonly name: string;
  readonly memory = new Memory();

  constructor(name: string) {
    this.name = name;
  }

  backend(clientId?: string): MemoryBackend {
    return new MemoryBackend({ memory: this.memory, clientId });
  }

  get ids(): string[] {
    return [...this.memory.states.keys()].filter((id) => id !== markId);
  }

  get mark(): ShardMark | null {
    return readMark(this.name, this.memory.states.get(markId) ?? null);
  }
}

/** Nothing of memory's checks that a whole store is one: that is up to Redis and SQLite. */
export function openAt(places: readonly TestPlace[]): Store {
  const clientId = randomBytes(12).toString("hex");
  const [first, ...others] = places.map((place) => place.backend(clientId));
  if (first === undefined || others.length === 0) return open(first);
  return open(new ShardedBackend("test", [first, ...others]));
}

/** Moves a store. `fault` happens at every call. */
export async function moved(
  from: readonly TestPlace[],
  to: readonly TestPlace[],
  fault?: Fault,
): Promise<number> {
  const parts = (places: readonly TestPlace[]): Part[] =>
    places.map((place) => {
      const backend = new FaultyBackend(place.backend());
      if (fault !== undefined) backend.always("any", fault);
      return new Part(place.name, backend, 1_000);
    });
  const [sources, targets] = [parts(from), parts(to)];
  try {
    return await moveStates(sources, targets);
  } finally {
    for (const part of [...sources, ...targets]) await part.close();
  }
}

/** Those that are not on the shard that has their id. */
export function misplaced(places: readonly TestPlace[]): string[] {
  return places.flatMap(({ ids }, index) => ids.filter((id) => shardOf(id, places.length) !== index));
}
