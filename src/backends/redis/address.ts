/**
 * Redis URLs: `redis://[user[:password]@]host[:port][/db]`, the same with `rediss:` for TLS, and
 * `redis+unix:///path/to/socket[?db=n]`. Read once; from here on the password is apart from what is printed [P3].
 */
import { InvalidArgumentError } from "../../errors.ts";

export interface Address {
  /** For messages. */
  readonly name: string;
  readonly socket:
    | { readonly host: string; readonly port: number; readonly tls: boolean }
    | { readonly path: string; readonly tls: false };
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

const forms =
  "redis://[user:password@]host[:port][/db], rediss:// for TLS, or redis+unix:///path/to/socket[?db=n]";

export function parseAddress(target: string | URL): Address {
  const url = parseUrl(target);
  const credentials = {
    username: decode(url.username) || undefined,
    password: decode(url.password) || undefined,
  };
  if (url.protocol === "redis+unix:") return { ...unixSocket(url), ...credentials };
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw malformed("its protocol is not one of these");
  if (url.search !== "" || url.hash !== "") throw malformed("it has a query or a fragment");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  const port = url.port === "" ? 6379 : Number(url.port);
  const database = parseDatabase(url.pathname.replace(/^\//, ""));
  const shown = host.includes(":") ? `[${host}]` : host;
  const name = `${url.protocol}//${shown}:${String(port)}${database === 0 ? "" : `/${String(database)}`}`;
  return { name, socket: { host, port, tls: url.protocol === "rediss:" }, database, ...credentials };
}

function unixSocket(url: URL): Pick<Address, "name" | "socket" | "database"> {
  const path = decode(url.pathname);
  if (path === "/" || !path.startsWith("/")) throw malformed("it names no socket by an absolute path");
  // [P3] An unencoded @ or / in a password would make a host and a path of its parts.
  if (!["", "localhost"].includes(url.hostname)) throw malformed("a socket has no host");
  const others = [...url.searchParams.keys()].filter((key) => key !== "db");
  if (others.length > 0) throw malformed(`it has a query other than db`);
  const database = parseDatabase(url.searchParams.get("db") ?? "");
  const name = `redis+unix://${path}${database === 0 ? "" : `?db=${String(database)}`}`;
  return { name, socket: { path, tls: false }, database };
}

function parseUrl(target: string | URL): URL {
  try {
    return new URL(target);
  } catch {
    throw malformed("it is no URL"); // the cause would show the password
  }
}

function parseDatabase(text: string): number {
  if (text === "") return 0;
  if (!/^\d{1,5}$/.test(text)) throw malformed("its database is not a number");
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed("a part of it is not percent-encoded correctly");
  }
}

function malformed(why: string): InvalidArgumentError {
  return new InvalidArgumentError(`This is not a Redis URL that can be used: ${why}. Write ${forms}.`);
}
