// Where a store on a cluster finds the node that has its keys, and what it says where it finds none.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { slotOf } from "../../../../src/backends/redis/client/locate/key-slot.ts";
import {
  open,
  type NodeAddressMap,
  type OpenOptions,
  type Store,
  type Target,
} from "../../../../src/index.ts";
import { appUser, documentedClusterRights } from "../../../support/acl.ts";
import {
  freePort,
  startCluster,
  startLink,
  startRedis,
  type Cluster,
  type Link,
} from "../../../support/faults/index.ts";
import { poll } from "../../../support/poll.ts";
import type { RedisServer } from "../../../support/redis-server.ts";

vi.setConfig({ testTimeout: 60_000 });

let cluster: Cluster;
const stores: Store[] = [];
const connect = (target: Target = cluster.url, options: OpenOptions = { operationMs: 15_000 }): Store => {
  const store = open(target, options);
  stores.push(store);
  return store;
};

beforeAll(async () => {
  cluster = await startCluster();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});
afterAll(() => cluster.stop());

/** Where its connections are, as the servers see them. */
async function connectedTo(): Promise<RedisServer[]> {
  const found: RedisServer[] = [];
  for (const node of cluster.nodes) {
    const list = String(await node.command("CLIENT", "LIST"));
    for (let n = list.match(/name=holdfast /g)?.length ?? 0; n > 0; n -= 1) found.push(node);
  }
  return found;
}

test("slots are those of the servers", async () => {
  const [node] = cluster.nodes;
  for (const key of ["", "x", "{a}:lock:{b}", "x{}{y}", "{}", "ä{ö}ü", "a{b", "a}b{c}"])
    expect(slotOf(key)).toBe(Number(await node?.command("CLUSTER", "KEYSLOT", key)));
});

test("both connections lead to the owner of the slot; other nodes, a replica and one that is gone lead there", async () => {
  const owner = await cluster.owner();
  const [replica] = await cluster.replicas();
  const other = cluster.nodes.find((node) => node !== owner && node !== replica);
  const gone = { port: await freePort() };
  for (const seeds of [[owner], [replica], [gone, other]]) {
    const store = connect(cluster.urlOf(...seeds.filter((node) => node !== undefined)));
    await store.state("x").save("1");
    expect(await owner.keys()).toContain("{holdfast}:state:{x}");
    await poll(connectedTo).toEqual([owner, owner]);
    await store.close();
    await poll(connectedTo).toEqual([]);
  }
});

test("[P3] where it finds no owner, the error says what to do, in time, without the password", async () => {
  const single = await startRedis({ rights: documentedClusterRights() });
  const lonely = await startRedis({
    prefixes: ["{holdfast}:"],
    rights: documentedClusterRights(),
    more: ["--cluster-enabled", "yes"],
  });
  try {
    const at = ({ port }: { port: number }): string => cluster.urlOf({ port });
    const ready = async (url: string): Promise<unknown> =>
      connect(url, { operationMs: 1_000 })
        .ready()
        .catch((error: unknown) => error);
    const none = await ready(at(lonely));
    expect(none).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(String(none)).toMatch(/no node of the cluster owns slot \d+, which has the keys of this prefix/);
    const plain = await ready(at(single));
    expect(plain).toMatchObject({ code: "UNREACHABLE", outcome: "none", lasting: true });
    expect(String(plain)).toMatch(/is not part of a Redis Cluster. Write redis:\/\//);
    const gone = await ready(at({ port: await freePort() }));
    expect(String(gone)).toMatch(/the node at 127.0.0.1:\d+ cannot be reached/);
    const denied = await ready(cluster.url.replace(/:[^:@]+@/, ":wrong-password@"));
    expect(denied).toMatchObject({ code: "ACCESS_DENIED", outcome: "none", lasting: true });
    for (const error of [none, plain, gone, denied])
      expect(String(error)).not.toMatch(/pw-of|wrong-password/);
  } finally {
    await single.stop();
    await lonely.stop();
  }
});

test("a node of the cluster as a single server: the error names redis+cluster://", async () => {
  const owner = await cluster.owner();
  for (const node of cluster.nodes) {
    const error: unknown = await connect(node.url, { prefix: "{holdfast}:", operationMs: 1_000 })
      .ready()
      .then(() => undefined)
      .catch((failure: unknown) => failure);
    if (node === owner) expect(error).toBeUndefined();
    else expect(String(error)).toMatch(/is part of a Redis Cluster .* Write redis\+cluster:\/\//);
  }
});

/** By the links that lead to the nodes, through which alone the store may go. */
function behind(links: ReadonlyMap<string, Link>, nodeAddressMap: NodeAddressMap): Target {
  const [link] = links.values();
  const nodes = [{ host: "127.0.0.1", port: link?.port ?? 0 }];
  return { cluster: nodes, username: appUser.name, password: appUser.password, nodeAddressMap };
}

async function linksToAll(): Promise<Map<string, Link>> {
  const links = new Map<string, Link>();
  for (const node of cluster.nodes) links.set(`127.0.0.1:${String(node.port)}`, await startLink(node));
  return links;
}

describe("through a map of addresses", () => {
  let links: Map<string, Link>;
  beforeEach(async () => {
    links = await linksToAll();
  });
  afterEach(async () => {
    for (const link of links.values()) await link.close();
  });
  const placeOf = (address: string) => {
    const link = links.get(address);
    return link && { host: "127.0.0.1", port: link.port };
  };

  test("both connections lead to the owner by way of the map, also after a redirection", async () => {
    const all = Object.fromEntries(
      [...links.keys()].map((address) => [address, placeOf(address) ?? { host: "" }]),
    );
    for (const map of [all, placeOf]) {
      const store = connect(behind(links, map));
      await store.state("x").save("1");
      await cluster.moveAtOnce();
      expect(await store.state("x").load()).toBe("1");
      const owner = await cluster.owner();
      await poll(connectedTo).toEqual([owner, owner]);
      const link = links.get(`127.0.0.1:${String(owner.port)}`);
      if (link === undefined) throw new Error("no link leads to the owner");
      link.refusing = true;
      link.cut();
      await poll(connectedTo).toEqual([]);
      link.refusing = false;
      expect(await store.state("x").load()).toBe("1");
      await store.close();
      await poll(connectedTo).toEqual([]);
    }
  });

  test("a map that throws, and one that returns no address: an error that says so, in time", async () => {
    const bad = (): never => {
      throw new Error("no such node");
    };
    const odd = (): { host: string } => ({ host: "" });
    const ready = (map: NodeAddressMap): Promise<unknown> =>
      connect(behind(links, map), { operationMs: 1_000 })
        .ready()
        .catch((error: unknown) => error);
    for (const [map, why] of [
      [bad, /the map of addresses threw an error for "127\.0\.0\.1:\d+" \(Error: no such node\)/],
      [odd, /the map of addresses returned no address for "127\.0\.0\.1:\d+"\. It returns \{ host, port \}/],
    ] as const) {
      const error = await ready(map);
      expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none", lasting: true });
      expect(String(error)).toMatch(why);
    }
  });
});

test("listings name what is there, with no right beyond those of docs/redis.md", async () => {
  const owner = await cluster.owner();
  await owner.command("ACL", "LOG", "RESET"); // another test has used a wrong password
  const store = connect(cluster.url, { prefix: "{holdfast}:list:", operationMs: 15_000 });
  for (const id of ["a", "b"]) await store.state(id).save("1");
  const grant = await store.lock("c").acquire();
  const ids: string[] = [];
  for await (const { id } of store.states()) ids.push(id);
  for await (const { id } of store.locks()) ids.push(id);
  expect(ids.sort()).toEqual(["a", "b", "c"]);
  await grant.release();
  expect(await owner.command("ACL", "LOG")).toEqual([]);
});
