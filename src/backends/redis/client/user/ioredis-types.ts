/** The types of `ioredis` that the adapter relies on, written out so that no type of ours names the package. */

/**
 * A client of `ioredis` 5 or 6, or of `iovalkey`, as given to `open()`: of one server, or of the primary that Sentinels
 * name. It stays yours: we never close it.
 */
export interface IoredisClientLike {
  /** The state of its connection, such as "ready". */
  readonly status: string;
  /** What its connection is used for: "normal", "subscriber" or "monitor". */
  readonly mode: string;
  /** The options that it was made with. */
  readonly options: object;
  /** Makes the functions that send one command: its replies as strings, or as buffers. */
  createBuiltinCommand(name: string): {
    /** Replies with strings. */
    readonly string: unknown;
    /** Replies with buffers. */
    readonly buffer: unknown;
  };
  /** Connects a client that was made with `lazyConnect`. */
  connect(): Promise<unknown>;
  /** Makes the connection for wakes, which is ours. */
  duplicate(overrides?: object): object;
  /** To follow it when it reconnects. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Undoes `on`. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What we need to know of its options, and where it is connected. */
export interface IoredisOptions {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly path?: unknown;
  readonly tls?: unknown;
  readonly db?: unknown;
  readonly name?: unknown;
  readonly role?: unknown;
  readonly sentinels?: readonly { readonly host?: unknown; readonly port?: unknown }[] | null;
  readonly keyPrefix?: unknown;
  readonly stringNumbers?: unknown;
}

export function optionsOf(client: IoredisClientLike): IoredisOptions {
  return client.options;
}

/** The members that its clusters and pipelines have, too. */
export function isOfIoredis(value: object): boolean {
  return typeof (value as Partial<IoredisClientLike>).createBuiltinCommand === "function";
}

/** By its members, so that a subclass, a proxy and `iovalkey` are recognized. */
export function isIoredisClient(value: object): value is IoredisClientLike {
  const client = value as Partial<IoredisClientLike> & { isCluster?: unknown; isPipeline?: unknown };
  return (
    isOfIoredis(value) &&
    client.isCluster !== true &&
    client.isPipeline !== true &&
    typeof client.status === "string" &&
    typeof client.options === "object" &&
    typeof client.connect === "function" &&
    typeof client.duplicate === "function" &&
    typeof client.on === "function"
  );
}
