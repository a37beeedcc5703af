/**
 * Redis URLs: `redis://[[user]:password@]host[:port][/db]`, `redis+unix:///path/to/socket[?db=n]`,
 * `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/primary[/db]`, and
 * `redis+cluster://[[user]:password@]host[:port][,host[:port]…]`; `rediss:`, `rediss+sentinel:` and `rediss+cluster:` for
 * TLS. Parsed once, here; from then on, passwords are kept apart from the printable name [P3].
 */
import { InvalidArgumentError } from "../../../errors.ts";

/** Where a server listens, on the network. */
export interface NetworkEndpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

export type Endpoint = NetworkEndpoint | { readonly path: string; readonly tls: false };

/** Sentinels that know where the primary is. */
export interface SentinelGroup {
  /** The name that they know it by. */
  readonly primary: string;
  readonly sentinels: readonly NetworkEndpoint[];
  /** Of the Sentinels themselves. */
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** A cluster: any of its nodes knows which one owns a slot. */
export interface ClusterNodes {
  readonly nodes: readonly NetworkEndpoint[];
  /** Those that a user's client knows by now. */
  readonly moreNodes?: (() => Promise<readonly NetworkEndpoint[]>) | undefined;
  /** From an address that the cluster names, `host:port`, to the one to connect to, if that is another. */
  readonly nodeAddressMap?: ((address: string) => unknown) | undefined;
}

export interface Address {
  /** For messages. */
  readonly name: string;
  readonly server: Endpoint | SentinelGroup | ClusterNodes;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

const forms =
  "redis://[user:password@]host[:port][/db], rediss:// for TLS, redis+unix:///path/to/socket[?db=n], " +
  "redis+sentinel://host[:port],host[:port]/primary[/db], or redis+cluster://host[:port],host[:port]";

export const defaultPort = 6379;
const defaultSentinelPort = 26379;

/** A URL as it was given, and as it was parsed, which drops and changes some of it. */
interface Source {
  readonly text: string;
  readonly url: URL;
  /** All hosts, of which the parsed URL has only the first. */
  readonly hosts: readonly string[];
}

/** Refuses a URL with parts that would not be used, since they would be ignored silently. */
export function parseAddress(target: string | URL): Address {
  const source = parseUrl(String(target));
  const { url } = source;
  const credentials = {
    username: decode(url.username, source) || undefined,
    password: decode(url.password, source) || undefined,
  };
  refuseUserAlone(credentials, source);
  if (url.hash !== "" || source.text.includes("#")) throw malformed('it has a "#"', source);
  if (url.protocol === "redis+unix:") return { ...unixSocket(source), ...credentials };
  if (isOfSentinel(url.protocol)) return { ...primaryOfSentinels(source), ...credentials };
  if (isOfCluster(url.protocol)) return { ...cluster(source), ...credentials };
  return { ...server(source), ...credentials };
}

/** It would not be used. */
function refuseUserAlone(
  { username, password }: { username: string | undefined; password: string | undefined },
  source: Source,
): void {
  if (username !== undefined && password === undefined)
    throw malformed("a user name needs a password", source);
}

function isOfSentinel(protocol: string): boolean {
  return protocol === "redis+sentinel:" || protocol === "rediss+sentinel:";
}

function isOfCluster(protocol: string): boolean {
  return protocol === "redis+cluster:" || protocol === "rediss+cluster:";
}

function server(source: Source): Pick<Address, "name" | "server" | "database"> {
  const { text, url } = source;
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw malformed("its protocol is not one of these", source);
  if (text.includes("?")) throw malformed('it has a "?"', source);
  const { host, port } = hostAndPort(url, source, defaultPort);
  const path = url.pathname.replace(/^\//, "");
  const database = path === "" ? 0 : parseDatabase(path, source);
  const name = `${url.protocol}//${shown(host, port)}${database === 0 ? "" : `/${String(database)}`}`;
  return { name, server: { host, port, tls: url.protocol === "rediss:" }, database };
}

function primaryOfSentinels(source: Source): Pick<Address, "name" | "server" | "database"> {
  const { url } = source;
  const sentinels = endpoints(source, defaultSentinelPort);
  // [P3] An unencoded / in a password would make a path of its rest.
  const [, primary = "", db] = /^\/([\w.-]+)(?:\/([^/]*))?$/.exec(url.pathname) ?? [];
  if (primary === "")
    throw malformed("the Sentinels must be followed by / and the name of the primary", source);
  const pairs = url.search.replace(/^\?/, "").split("&").filter(Boolean);
  const query = new Map(pairs.map((pair) => splitPair(pair, source)));
  const isKnown = [...query.keys()].every((key) => key === "sentinelUser" || key === "sentinelPassword");
  if (!isKnown || query.size < pairs.length)
    throw malformed("it has a query other than one sentinelUser and one sentinelPassword", source);
  const database = db === undefined ? 0 : parseDatabase(db, source);
  const name = `${url.protocol}//${shownAll(sentinels)}/${primary}${database === 0 ? "" : `/${String(database)}`}`;
  const credentials = {
    username: someOf(query.get("sentinelUser")),
    password: someOf(query.get("sentinelPassword")),
  };
  refuseUserAlone(credentials, source);
  return { name, server: { primary, sentinels, ...credentials }, database };
}

function cluster(source: Source): Pick<Address, "name" | "server" | "database"> {
  const { url, text } = source;
  if (text.includes("?")) throw malformed('it has a "?"', source);
  const nodes = endpoints(source, defaultPort);
  // [P3] An unencoded / in a password would make a path of its rest, so the path is not shown.
  if (!["", "/", "/0"].includes(url.pathname))
    throw malformed("a cluster has only database 0, so nothing may follow its nodes", source);
  return { name: `${url.protocol}//${shownAll(nodes)}`, server: { nodes }, database: 0 };
}

/** All hosts of a URL that names several. */
function endpoints(source: Source, byDefault: number): NetworkEndpoint[] {
  const { url, hosts } = source;
  if (hosts.length > 1 && hosts.includes("")) throw malformed("one of its hosts is empty", source);
  const tls = url.protocol.startsWith("rediss+");
  return hosts.map((host) => ({
    ...hostAndPort(parsed(`redis://${host}`, source), source, byDefault),
    tls,
  }));
}

function someOf(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** Not as a form, where a "+" is a space: passwords are decoded alike on either side of the hosts. */
function splitPair(pair: string, source: Source): [key: string, value: string] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, ""] : [pair.slice(0, at), decode(pair.slice(at + 1), source)];
}

function hostAndPort(
  url: URL,
  source: Pick<Source, "text">,
  byDefault: number,
): { host: string; port: number } {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  if (!isHost(host)) throw malformed("its host is neither a name in ASCII nor an address", source);
  const port = url.port === "" ? byDefault : Number(url.port);
  if (port === 0) throw malformed("its port is 0", source);
  return { host, port };
}

/** A name in ASCII, or an address. */
export function isHost(host: unknown): host is string {
  return typeof host === "string" && /^[\w.:-]+$/.test(host);
}

export function isPort(port: unknown): port is number {
  return Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;
}

export function shown(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
}

export function shownAll(servers: readonly NetworkEndpoint[]): string {
  return servers.map(({ host, port }) => shown(host, port)).join(",");
}

function unixSocket(source: Source): Pick<Address, "name" | "server" | "database"> {
  const { url } = source;
  const path = decode(url.pathname, source);
  if (path.endsWith("/") || !path.startsWith("/") || path.includes("\0"))
    throw malformed("the socket path must be absolute", source);
  // [P3] An unencoded @ or / in a password would make a host and a path of its parts.
  if (!["", "localhost"].includes(url.hostname) || url.port !== "")
    throw malformed("a socket has no host and no port", source);
  const query = [...url.searchParams];
  if (query.some(([key]) => key !== "db") || query.length > 1)
    throw malformed("it has a query other than one db", source);
  const database = query[0] === undefined ? 0 : parseDatabase(query[0][1], source);
  const name = `redis+unix://${path}${database === 0 ? "" : `?db=${String(database)}`}`;
  return { name, server: { path, tls: false }, database };
}

function parseUrl(text: string): Source {
  // The parser of URLs would pass over all of these.
  if (/[\s\p{Cc}]/u.test(text)) throw malformed("it has a space or a control character", { text });
  const [, authority] = /^[^/]*:\/\/([^/?#]*)/.exec(text) ?? [];
  if (authority === undefined)
    throw malformed(`"${schemeOf(text)}:" must be followed by two slashes`, { text });
  if (authority.split("@").length > 2) throw malformed('it has more than one "@"', { text });
  const hosts = (authority.split("@").at(-1) ?? "").split(",");
  const protocol = `${schemeOf(text)}:`;
  if (!(isOfSentinel(protocol) || isOfCluster(protocol)) || hosts.length === 1)
    return { text, url: parsed(text, { text }), hosts };
  // The parser of URLs knows one host.
  const at = text.indexOf(authority) + authority.lastIndexOf(hosts.join(","));
  const one = text.slice(0, at) + (hosts[0] ?? "") + text.slice(at + hosts.join(",").length);
  return { text, url: parsed(one, { text }), hosts };
}

function parsed(url: string, source: Pick<Source, "text">): URL {
  try {
    return new URL(url);
  } catch {
    throw malformed("it is not a valid URL", source); // the cause would show the password
  }
}

/** One way only to write a number: one database must not have two names. */
function parseDatabase(text: string, source: Source): number {
  if (!/^(0|[1-9]\d{0,4})$/.test(text))
    throw malformed("its database is not a number from 0 to 99999", source);
  return Number(text);
}

function decode(text: string, source: Source): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed("a part of it is not percent-encoded correctly", source);
  }
}

/** [P3] The text may contain a password: it is shown only if it is a host and a port. */
function malformed(why: string, { text }: Pick<Source, "text">): InvalidArgumentError {
  const service = /^rediss?:\d{1,5}(\/\d+)?$/i.test(text) ? ` Did you mean "redis://${text}"?` : "";
  const encode = text.includes("@")
    ? " In a user name and a password, percent-encode what is special in a URL: # is %23, / is %2F, ? is %3F, @ is %40, % is %25."
    : "";
  return new InvalidArgumentError(`Invalid Redis URL: ${why}. Write ${forms}.${service}${encode}`);
}

function schemeOf(text: string): string {
  return /^[a-z+]+(?=:)/i.exec(text)?.[0].toLowerCase() ?? "redis";
}
