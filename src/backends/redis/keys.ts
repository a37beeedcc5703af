/**
 * The names of everything on the server. Keys of one id share one hash tag, the id in braces, so that one script may
 * touch them all, also on a cluster later.
 */

import type { Receipt } from "../contract.ts";

export interface Keys {
  readonly state: (id: string) => string;
  readonly lock: (id: string) => string;
  readonly queue: (id: string) => string;
  /** What the scripts for many locks at once make their other keys of. */
  readonly prefix: string;
  /** Their KEYS: stamp done. */
  readonly common: readonly string[];
  /** KEYS of the other scripts that may pass a lock on: lock queue asks stamp done state. */
  readonly all: (id: string) => readonly string[];
  /** Where a large value is sent ahead to, by the operation with this receipt; each copy of it to the same place. */
  readonly staged: (id: string, receipt: Receipt) => string;
  /** The receipts of this client. */
  readonly done: string;
  /** The channel on which this client is woken. */
  readonly channel: string;
  /** For the probe of rights; it exists for a moment only. */
  readonly probe: string;
  /** `MATCH` patterns for the states and locks whose ids begin so. */
  readonly pattern: (kind: "state" | "lock", idPrefix: string) => string;
  /** The id in the name of a state or a lock. */
  readonly idOf: (kind: "state" | "lock", key: string) => string;
}

/** Prefixes have no braces, ids do not begin with `}`: both are checked at the door. */
export function makeKeys(prefix: string, clientId: string): Keys {
  const named = (kind: string) => {
    const start = `${prefix}${kind}:{`;
    return (id: string): string => `${start}${id}}`;
  };
  const [state, lock, queue, asks] = [named("state"), named("lock"), named("queue"), named("asks")];
  const stamp = `${prefix}stamp`;
  const done = `${prefix}done:${clientId}`;
  return {
    state,
    lock,
    queue,
    all: (id) => [lock(id), queue(id), asks(id), stamp, done, state(id)],
    prefix,
    common: [stamp, done],
    staged: (id, { slot, n }) => `${prefix}sent:{${id}}:${clientId}:${String(slot)}:${String(n)}`,
    done,
    channel: `${prefix}wake:${clientId}`,
    probe: `${prefix}probe:{${clientId}}`,
    pattern: (kind, idPrefix) => `${escapeGlob(`${prefix}${kind}:{${idPrefix}`)}*}`,
    idOf: (kind, key) => key.slice(`${prefix}${kind}:{`.length, -1),
  };
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^]/g, "\\$&");
}
