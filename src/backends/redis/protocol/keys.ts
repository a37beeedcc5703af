/**
 * The names of all keys and channels. On a cluster the prefix has a hash tag, which comes first and counts, so that all
 * keys of a store are in one slot. The id is in braces, too: that is how it is found in a name.
 */

import type { Receipt } from "../../contract.ts";
import { markId } from "../../shard-mark.ts";
import { murmur3 } from "../../shard-of.ts";

/** So many channels for hints at most: each id has one of them. */
const hintChannels = 64;

export interface Keys {
  readonly state: (id: string) => string;
  readonly lock: (id: string) => string;
  readonly queue: (id: string) => string;
  /** From this, scripts that serve many locks make their other keys. */
  readonly prefix: string;
  /** The last stamp. */
  readonly stamp: string;
  /** Their KEYS: stamp done. */
  readonly common: readonly string[];
  /** Who shares a lock or a semaphore, and the limit of a semaphore. */
  readonly sharing: (id: string) => string;
  /** The keys of one id that those scripts make: lock queue asks state sharing; in a store with an index, its keys. */
  readonly made: (id: string) => readonly string[];
  /** The same, for scripts that may change its state: they look whether it is watched. */
  readonly changing: (id: string) => readonly string[];
  /** Exists while a client watches the id; its value says where hints about it are sent: lib/watchers.lua. */
  readonly watch: (id: string) => string;
  /** The number of the channel for hints about this id. */
  readonly hintsNumber: (id: string) => number;
  /** KEYS of the other scripts that may hand a lock over: lock queue asks stamp done state sharing. */
  readonly all: (id: string) => readonly string[];
  /** The key to which the operation with this receipt sends a large value ahead; a retry uses the same key. */
  readonly staged: (id: string, receipt: Receipt) => string;
  /** The ids of a store with an index, which the option `index` says. */
  readonly index: string;
  readonly isIndexed: boolean;
  /** What scripts use besides the keys of an id, in a store with an index. */
  readonly ofIndex: readonly string[];
  /** The last stamp of a store that was opened with the other value of that option: lib/stamp.lua. */
  readonly otherStamp: string;
  /** There while the index is being built. */
  readonly building: string;
  /** What says that there is a shard of a store here. */
  readonly mark: string;
  /** The receipts of this client. */
  readonly done: string;
  /** What the functions under this client's locks wait for. */
  readonly waits: string;
  /** The channel for this client's wakes. */
  readonly channel: string;
  /** The channel for hints about this id. */
  readonly hints: (id: string) => string;
  /**
   * Never written. While a slot moves key by key, a cluster runs a script if it has all keys that the script declares, and
   * refuses it half-way when the script deletes a key and uses it again. With this key, it never has all of them.
   */
  readonly never: string;
  /** The key for the probe of permissions; it exists only briefly. */
  readonly probe: string;
  /** A `MATCH` pattern for the states or locks whose ids have this prefix. */
  readonly pattern: (kind: "state" | "lock", idPrefix: string) => string;
  /** The id in the name of a state or lock. */
  readonly idOf: (kind: "state" | "lock", key: string) => string;
}

/** Prefixes have no braces but a hash tag, and ids do not begin with `}`: options.ts checks both. */
export function makeKeys(prefix: string, clientId: string, isIndexed = false): Keys {
  const named = (kind: string) => {
    const start = `${prefix}${kind}:{`;
    return (id: string): string => `${start}${id}}`;
  };
  const [state, lock, queue, asks] = [named("state"), named("lock"), named("queue"), named("asks")];
  const sharing = named("holders");
  const watch = named("watch");
  const stamps = [`${prefix}stamp`, `${prefix}index:stamp`] as const;
  const [stamp, otherStamp] = isIndexed ? [stamps[1], stamps[0]] : stamps;
  const index = `${prefix}index`;
  const ofIndex = isIndexed ? [index, otherStamp] : [];
  const done = `${prefix}done:${clientId}`;
  const made = (id: string): string[] => [lock(id), queue(id), asks(id), state(id), sharing(id), ...ofIndex];
  const hintsNumber = (id: string): number => murmur3(Buffer.from(id)) % hintChannels;
  return {
    state,
    lock,
    queue,
    sharing,
    made,
    changing: (id) => [...made(id), watch(id)],
    watch,
    hintsNumber,
    all: (id) => [lock(id), queue(id), asks(id), stamp, done, state(id), sharing(id)],
    prefix,
    stamp,
    common: [stamp, done],
    staged: (id, { sequence, n }) => `${prefix}sent:{${id}}:${clientId}:${String(sequence)}:${String(n)}`,
    index,
    ofIndex,
    isIndexed,
    otherStamp,
    building: `${prefix}index:building`,
    mark: state(markId),
    done,
    waits: `${prefix}waits:${clientId}`,
    channel: `${prefix}wake:${clientId}`,
    hints: (id) => `${prefix}changed:${String(hintsNumber(id))}`,
    never: `${prefix}never`,
    probe: `${prefix}probe:{${clientId}}`,
    pattern: (kind, idPrefix) => `${escapeGlob(`${prefix}${kind}:{${idPrefix}`)}*}`,
    idOf: (kind, key) => key.slice(`${prefix}${kind}:{`.length, -1),
  };
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^]/g, "\\$&");
}
