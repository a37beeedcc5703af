/**
 * Where the locks of a client are: one store for all `Redlock` objects on it, so that making one for each request costs no
 * connection, and each of them can release what another has acquired.
 */
import { InvalidArgumentError } from "../errors.ts";
import { open } from "../open.ts";
import type { Store } from "../store/store.ts";
import type { RedlockClient } from "./errors.ts";
import type { Holding } from "./holding.ts";

export interface Place {
  readonly store: Store;
  /** What is held, by the value of its `Lock`. */
  readonly held: Map<string, Holding>;
}

const places = new WeakMap<RedlockClient, Place>();

export function placeOf(client: RedlockClient): Place {
  let place = places.get(client);
  if (place === undefined) places.set(client, (place = { store: open(client), held: new Map() }));
  return place;
}

/** Closes its store, which releases its locks. A later call opens another one. */
export async function closePlaceOf(client: RedlockClient): Promise<void> {
  const place = places.get(client);
  places.delete(client);
  await place?.store.close();
}

/** The one client of a list. */
export function theClient(clients: unknown): RedlockClient {
  const given = isIterable(clients) ? [...new Set(clients)] : [];
  const [client] = given;
  if (given.length > 1) {
    throw new InvalidArgumentError(
      `new Redlock() takes one client; got ${given.length}. Locks of holdfast/redlock are kept on one server, a group of ` +
        `Sentinels or a cluster: there is no quorum of independent servers. Pass one client, or keep the package redlock: ` +
        `see node_modules/holdfast/docs/from-redlock.md.`,
    );
  }
  if (typeof client === "object" && client !== null) return client as RedlockClient;
  throw new InvalidArgumentError(
    "new Redlock() takes an array of one client of ioredis or @redis/client, such as new Redlock([client]).",
  );
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
