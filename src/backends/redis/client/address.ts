/**
 * Redis URLs: `redis://[user[:password]@]host[:port][/db]`, the same with `rediss:` for TLS, and
 * `redis+unix:///path/to/socket[?db=n]`. Read once; from here on the password is apart from what is printed [P3].
 */
import { InvalidArgumentError } from "../../../errors.ts";

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

/** A URL as it was given, and as it was parsed, which drops and changes some of it. */
interface Source {
  readonly text: string;
  readonly url: URL;
}

/** Refuses a URL with parts that would not be used, since they would be ignored silently. */
export function parseAddress(target: string | URL): Address {
  const source = parseUrl(String(target));
  const { url } = source;
  const credentials = {
    username: decode(url.username, source) || undefined,
    password: decode(url.password, source) || undefined,
  };
  if (url.hash !== "" || source.text.includes("#")) throw malformed('it has a "#"', source);
  if (url.protocol === "redis+unix:") return { ...unixSocket(source), ...credentials };
  return { ...server(source), ...credentials };
}

function server(source: Source): Pick<Address, "name" | "socket" | "database"> {
  const { text, url } = source;
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw malformed("its protocol is not one of these", source);
  if (text.includes("?")) throw malformed('it has a "?"', source);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  if (!/^[\w.:-]+$/.test(host)) throw malformed("its host is neither a name in ASCII nor an address", source);
  const port = url.port === "" ? 6379 : Number(url.port);
  if (port === 0) throw malformed("its port is 0", source);
  const path = url.pathname.replace(/^\//, "");
  const database = path === "" ? 0 : parseDatabase(path, source);
  const shown = host.includes(":") ? `[${host}]` : host;
  const name = `${url.protocol}//${shown}:${String(port)}${database === 0 ? "" : `/${String(database)}`}`;
  return { name, socket: { host, port, tls: url.protocol === "rediss:" }, database };
}

function unixSocket(source: Source): Pick<Address, "name" | "socket" | "database"> {
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
  return { name, socket: { path, tls: false }, database };
}

function parseUrl(text: string): Source {
  // The parser of URLs would pass over all of these.
  if (/[\s\p{Cc}]/u.test(text)) throw malformed("it has a space or a control character", { text });
  const [, authority] = /^[^/]*:\/\/([^/?#]*)/.exec(text) ?? [];
  if (authority === undefined)
    throw malformed(`"${schemeOf(text)}:" must be followed by two slashes`, { text });
  if (authority.split("@").length > 2) throw malformed('it has more than one "@"', { text });
  try {
    return { text, url: new URL(text) };
  } catch {
    throw malformed("it is not a valid URL", { text }); // the cause would show the password
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
