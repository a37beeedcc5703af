// The ways from processes to a server, and what they left behind there.

import { startLink, startProxy } from "../support/faults/index.ts";
import type { Link, Proxy, RedisServer } from "../support/faults/index.ts";

/** With a tag, which a cluster needs. */
export const prefix = "{torture}:";

/** Something that nobody should have left: a lock, or a place in its queue. */
export interface Leftover {
  readonly what: "lock" | "waiter";
  readonly key: string;
  readonly ticket: string;
  readonly pid: number;
}

export interface Ways {
  readonly proxies: readonly Proxy[];
  readonly links: readonly Link[];
  readonly close: () => Promise<void>;
}

/** From each process. */
export async function waysTo(target: { readonly port: number }, processes: number): Promise<Ways> {
  const links: Link[] = [];
  const proxies: Proxy[] = [];
  for (let place = 0; place < processes; place += 1) {
    links.push(await startLink(target));
    proxies.push(await startProxy(links[place]!));
  }
  const close = async (): Promise<void> => {
    for (const proxy of proxies) await proxy.close();
    for (const link of links) await link.close();
  };
  return { proxies, links, close };
}

export async function redisLeftovers(server: RedisServer): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const key of await server.keys()) {
    const add = (what: Leftover["what"], text: string): void =>
      void found.push({ what, key, ticket: text, pid: pidOf(text) });
    if (key.startsWith(`${prefix}lock:`)) {
      const held = String(await server.command("GET", key));
      if (!held.startsWith("shared ")) add("lock", held);
      else for (const ticket of await sharersOf(server, key)) add("lock", ticket);
    }
    if (!key.startsWith(`${prefix}queue:`)) continue;
    for (const ticket of (await server.command("ZRANGE", key, "0", "-1")) as string[]) add("waiter", ticket);
  }
  return found;
}

/** The tickets of a lock that is held in shares. */
async function sharersOf(server: RedisServer, key: string): Promise<string[]> {
  const fields = (await server.command("HKEYS", key.replace("lock:", "holders:"))) as string[];
  return fields.filter((field) => field.includes(":"));
}

/** `<host>:<pid>:<client id>:<n>`; a host may have colons of its own. */
export const pidOf = (ticket: string): number => Number(/:(\d+):[^:\s]+:\d+(\s|$)/.exec(ticket)?.[1]);
