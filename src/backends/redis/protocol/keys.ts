/**
 * The names of all keys and channels. The keys of one id share a hash tag, the id in braces, so that one script may use
 * all of them, later also on a cluster.
 */

import type { Receipt } from "../../contract.ts";

export interface Keys {
  readonly state: (id: string) => string;
  readonly lock: (id: string) => string;
  readonly queue: (id: string) => string;
  /** From which scripts that serve many locks make their other keys. */
  readonly prefix: string;
  /** Their KEYS: stamp done. */
  readonly common: readonly string[];
  /** KEYS of the other scripts that may hand a lock over: lock queue asks stamp done state. */
  readonly all: (id: string) => readonly string[];
  /** Where the operation with this receipt sends a large value ahead to; a retry uses the same key. */
  readonly staged: (id: string, receipt: Receipt) => string;
  /** The receipts of this client. */
  readonly done: string;
  /** The channel on which this client is woken. */
  readonly channel: string;
  /** For the probe of rights; it exists for a moment. */
  readonly probe: string;
  /** `MATCH` patterns for the states or locks whose ids have this prefix. */
  readonly pattern: (kind: "state" | "lock", idPrefix: string) => string;
  /** The id in the name of a state or a lock. */
  readonly idOf: (kind: "state" | "lock", key: string) => string;
}

/** Prefixes have no braces, ids do not begin with `}`: options.ts checks both. */
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
    staged: (id, { sequence, n }) => `${prefix}sent:{${id}}:${clientId}:${String(sequence)}:${String(n)}`,
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
