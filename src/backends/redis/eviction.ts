/** Whether a server may evict keys, by its INFO: locks and states would be lost while others rely on them [L1] [S1]. */
export interface Eviction {
  /** Such as `allkeys-lru`. */
  readonly policy: string;
  /** In bytes; 0: there is no limit, so nothing is evicted. */
  readonly limit: number;
}

/** `undefined`: it does not say. */
export function evictionOf(info: string): Eviction | undefined {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined) return undefined;
  return { policy, limit: Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0) };
}
