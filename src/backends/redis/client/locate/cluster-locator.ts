/**
 * Where the node is that owns the slot of a store. Any node can say; several are asked at once, and the first that names
 * an owner is believed. An outdated one names a node that is gone or that names another; either way, the next attempt
 * follows.
 *
 * The nodes of the target are asked, and those that the last answer named, so that a store outlives either. Those of
 * earlier answers are forgotten: their addresses may belong to others by now.
 */
import { UnavailableError, type HoldfastError } from "../../../../errors.ts";
import { adviceFor, textOfCause } from "../connect-failures.ts";
import { replyFailure } from "../errors.ts";
import { isErrorReply } from "../node-redis-types.ts";
import {
  defaultPort,
  isHost,
  isPort,
  shown,
  type ClusterNodes,
  type NetworkEndpoint,
} from "../target-url.ts";
import { firstAnswer, type Refusal } from "./ask-servers.ts";
import type { Locator, LocatorOptions } from "./locator.ts";

/** Of a large cluster, this many nodes are asked at a time; others the next time. */
const maxAsked = 8;

export interface ClusterLocatorOptions extends ClusterNodes, LocatorOptions {
  /** Of the store, for messages. */
  readonly name: string;
}

/** What one node says of the slot: its owner, and all nodes that it knows. */
interface Answer {
  readonly owner: NetworkEndpoint;
  readonly nodes: readonly NetworkEndpoint[];
}

export class ClusterLocator implements Locator {
  readonly #options: ClusterLocatorOptions;
  /** Those of the last answer. */
  #named: readonly NetworkEndpoint[] = [];
  /** Where the last redirection led; it is used once. */
  #redirection: NetworkEndpoint | undefined;

  constructor(options: ClusterLocatorOptions) {
    this.#options = options;
  }

  async locate(): Promise<NetworkEndpoint> {
    const owner = this.#redirection;
    this.#redirection = undefined;
    if (owner !== undefined) return this.#reachable(owner);
    const answer = await this.#ask();
    this.#named = answer.nodes;
    return answer.owner;
  }

  isRedirection(message: string): boolean {
    const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? [];
    if (host === undefined) return false;
    // Without a host, the node does not know its own address: the next answer to CLUSTER SLOTS is about the server asked.
    if (host !== "" && host !== "?") this.#redirection = { host, port: Number(port), tls: this.#tls };
    return true;
  }

  get #tls(): boolean {
    return this.#options.nodes.some(({ tls }) => tls);
  }

  /** The address as it is seen from here. */
  #reachable(named: NetworkEndpoint): NetworkEndpoint {
    const { name, nodeAddressMap } = this.#options;
    if (nodeAddressMap === undefined) return named;
    return mapped(named, { name, nodeAddressMap });
  }

  async #ask(): Promise<Answer> {
    const { name, connectTo, attemptMs, nodes, moreNodes, withoutPassword } = this.#options;
    const given = [...nodes, ...((await moreNodes?.()) ?? [])];
    return firstAnswer({
      servers: someOf(given, this.#named),
      connectTo,
      attemptMs,
      command: ["CLUSTER", "SLOTS"],
      read: (reply, asked) => this.#read(reply, asked),
      refusalOf: (node, error) => refusalOf(name, node, withoutPassword(error)),
    });
  }

  #read(reply: unknown, asked: NetworkEndpoint): Answer {
    const { slot, name } = this.#options;
    let owner: NetworkEndpoint | undefined;
    const nodes: NetworkEndpoint[] = [];
    for (const range of reply as readonly (readonly unknown[])[]) {
      const [from, to, ...servers] = range;
      const found = servers.map((server) => this.#endpointOf(server, asked));
      nodes.push(...found);
      if (Number(from) <= slot && slot <= Number(to)) owner = found[0];
    }
    if (owner === undefined) throw noOwner(name, asked, slot);
    return { owner, nodes };
  }

  /** `[host, port, id, …]`. A node that does not know its own address has no host, or "?": it is the one that was asked. */
  #endpointOf(server: unknown, asked: NetworkEndpoint): NetworkEndpoint {
    const [host, port] = server as readonly unknown[];
    const isKnown = typeof host === "string" && host !== "" && host !== "?";
    if (!isKnown) return { ...asked, port: Number(port) };
    return this.#reachable({ ...asked, host, port: Number(port) });
  }
}

/** All of them, each once; of many, some at random, half of which are of those that were given. */
function someOf(given: readonly NetworkEndpoint[], named: readonly NetworkEndpoint[]): NetworkEndpoint[] {
  const first = shuffled(given).slice(0, maxAsked / 2);
  const all = [...first, ...shuffled([...given, ...named])];
  const byName = new Map(all.map((node) => [shown(node.host, node.port), node]));
  return [...byName.values()].slice(0, maxAsked);
}

function shuffled(nodes: readonly NetworkEndpoint[]): NetworkEndpoint[] {
  const placed = nodes.map((node) => ({ node, place: Math.random() }));
  return placed.sort((a, b) => a.place - b.place).map(({ node }) => node);
}

/** The map is the user's: what it returns is checked. */
function mapped(
  named: NetworkEndpoint,
  { name, nodeAddressMap }: { name: string; nodeAddressMap: (address: string) => unknown },
): NetworkEndpoint {
  const address = `${named.host}:${String(named.port)}`;
  let found: unknown;
  try {
    found = nodeAddressMap(address) ?? named;
  } catch (cause) {
    throw badMap(name, `threw an error for "${address}" (${String(cause)})`);
  }
  const { host, port = defaultPort } = found as { readonly host?: unknown; readonly port?: unknown };
  if (isHost(host) && isPort(Number(port))) return { ...named, host, port: Number(port) };
  throw badMap(name, `returned no address for "${address}". It returns { host, port }, or undefined`);
}

function badMap(name: string, what: string): UnavailableError {
  return new UnavailableError(`${name}: the map of addresses ${what}.`, { outcome: "none", lasting: true });
}

/** It may get one: while a replica takes over, or while the cluster is being repaired. */
function noOwner(name: string, { host, port }: NetworkEndpoint, slot: number): UnavailableError {
  const text = `${name}: no node of the cluster owns slot ${String(slot)}, which has the keys of this prefix`;
  const advice = `Check CLUSTER SLOTS and CLUSTER INFO of the node at ${shown(host, port)}`;
  return new UnavailableError(`${text}. ${advice}.`, { outcome: "none" });
}

function refusalOf(name: string, node: NetworkEndpoint, error: Error): Refusal {
  const at = shown(node.host, node.port);
  if (error instanceof UnavailableError) return { rank: 2, error };
  if (!isErrorReply(error)) {
    const text = `${name}: the node at ${at} cannot be reached (${textOfCause(error)}). ${adviceFor(error).advice}`;
    return { rank: 1, error: new UnavailableError(text, { outcome: "none", cause: error }) };
  }
  return { rank: 3, error: refused(name, at, error.message) };
}

function refused(name: string, at: string, message: string): HoldfastError {
  if (/cluster support disabled/i.test(message)) {
    const text = `${name}: the server at ${at} is not part of a Redis Cluster. Write redis://host:port for a single server.`;
    return new UnavailableError(text, { outcome: "none", lasting: true });
  }
  return replyFailure(`${name}, at its node ${at},`, message, { phase: "connecting" });
}
