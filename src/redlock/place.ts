/**
 * Where the locks of a client are: one store for all `Redlock` objects on it, so that making one for each request costs no
 * connection. They keep it. If none is left, and none of its locks is held, it is collected and closes: what refers to a
 * store's client would otherwise keep both. And how a client ends.
 */
import { InvalidArgumentError } from "../errors.ts";
import { open } from "../open.ts";
import type { Store } from "../store/store.ts";
import { pause } from "../timers.ts";
import type { RedlockClient } from "./errors.ts";

const stores = new WeakMap<RedlockClient, WeakRef<Store>>();

export function storeOf(client: RedlockClient): Store {
  const present = stores.get(client)?.deref();
  if (present !== undefined) return present;
  const store = open(client);
  stores.set(client, new WeakRef(store));
  return store;
}

/** Closes its store, which releases its locks. A later call opens another one. */
export async function closeStoreOf(client: RedlockClient): Promise<void> {
  const store = stores.get(client)?.deref();
  stores.delete(client);
  await store?.close();
}

type Endable = Partial<Record<"quit" | "close" | "destroy" | "disconnect", () => unknown>>;

/** How long a client may take to end in good order. One of `@redis/client` waits for a server that is gone without end. */
const endMs = 5_000;

export async function endClient(client: RedlockClient): Promise<void> {
  const { quit, close, destroy, disconnect } = client as Endable;
  const late = pause(endMs).then(() => true);
  const isLate = await Promise.race([late, Promise.resolve((quit ?? close)?.call(client)).then(() => false)]);
  if (isLate) (destroy ?? disconnect)?.call(client);
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
