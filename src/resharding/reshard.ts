/**
 * Moves a store to another number of shards, or to other servers, while nobody has it open.
 *
 * All data stays readable at its old place until its copy has been read back. Every place is marked first, so that no
 * client opens the store before the move is complete. A move that was interrupted is continued by the same call.
 */
import { prefixesOf } from "../backends/shard-targets.ts";
import { InvalidArgumentError } from "../errors.ts";
import { partsOf, type Target } from "../open.ts";
import * as parse from "../options.ts";
import { defaults } from "../options.ts";
import { moveStates } from "./move-states.ts";
import { Part } from "./part.ts";
import * as names from "../names.ts";

/** A store, named as for `open()`: a target or a list of targets, and the options that say where its data is. */
export interface StorePlace {
  /** One target, or a list of them, as for `open()`. */
  target: Target | readonly Target[];
  /** The prefix that the store was opened with. Default: as for `open()`. */
  prefix?: string | undefined;
  /** The number of shards that the store was opened with. Default: as for `open()`. */
  shards?: number | undefined;
  /** As for `open()`. */
  declareKeys?: boolean | undefined;
}

/** What was done. */
export interface Resharded {
  /** The number of states that are at another place now. */
  moved: number;
}

/** Nobody waits for its calls, so a server that restarts meanwhile is waited for. */
const operationMs = 60_000;

/**
 * Moves all states of a store from its shards to others. No process may have the store open meanwhile. States keep
 * their bytes and their remaining time to live; their revisions, and fences, go on rising.
 *
 * @throws LockTimeoutError if a lock is held; InvalidArgumentError if the store is not at `from`, or `to` is in use.
 * @example
 * ```ts
 * await reshard({ target: "redis://a" }, { target: ["redis://a", "redis://b", "redis://c"] });
 * ```
 */
export async function reshard(from: StorePlace, to: StorePlace): Promise<Resharded> {
  const sources = partsAt("from", from);
  const targets = partsAt("to", to);
  const all = [...sources, ...targets];
  try {
    return { moved: await moveStates(sources, targets) };
  } finally {
    await Promise.all(all.map((part) => part.close()));
  }
}

function partsAt(name: string, place: unknown): Part[] {
  const { target, ...options } = parse.parseOptions<Partial<StorePlace>>(`reshard()'s ${name}`, place, {
    target: (value) => value as Target,
    prefix: names.prefix,
    shards: parse.shards,
    declareKeys: parse.boolean,
  });
  if (target === undefined)
    throw new InvalidArgumentError(`reshard() needs ${name}.target: what open() was called with.`);
  const backends = partsOf(target, { ...options, operationMs }, { isShard: true });
  const { prefix = defaults.prefix, shards = 1 } = options;
  const prefixes = prefixesOf(prefix, shards);
  return backends.map((backend, index) => {
    const own = prefixes[index] ?? prefix;
    const label = own === defaults.prefix ? backend.name : `${backend.name} (prefix ${own})`;
    return new Part(label, backend, operationMs);
  });
}
