/**
 * URLs as redis-py takes them: `redis://`, `rediss://` and `unix://`, each with `?db=`. Translated into ours, which
 * target-url.ts parses; other parameters would be ignored, so they are refused.
 */
import { InvalidArgumentError } from "../errors.ts";

/** The same address as a URL that `open()` takes. @throws InvalidArgumentError that shows nothing of the URL [P3]. */
export function ourUrl(url: string): string {
  // A URL with a user must have a host.
  if (/^unix:/i.test(url)) return `redis+${withoutQuery(url).replace("@/", "@localhost/")}${queryOf(url)}`;
  if (!/^rediss?:/i.test(url)) return url;
  const query = queryOf(url);
  if (query === "") return withoutQuery(url);
  const address = withoutQuery(url).replace(/\/$/, "");
  const [, , inPath] = /^([^/]*\/\/[^/]*)\/(.*)$/.exec(address) ?? [];
  const db = query.slice("?db=".length);
  if (inPath === undefined) return `${address}/${db}`;
  if (inPath === db) return address;
  throw new InvalidArgumentError(
    `Invalid Redis URL: it names one database in its path and another one in "?db=". Leave one of them out.`,
  );
}

function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? url : url.slice(0, at);
}

/** `?db=n`, or nothing. */
function queryOf(url: string): string {
  const query = url.slice(withoutQuery(url).length);
  if (query === "" || query === "?") return "";
  if (/^\?db=\d+$/.test(query)) return query;
  throw new InvalidArgumentError(
    'Invalid Redis URL: after "?", only one db=number is used, as in "redis://host:6379?db=1" or "unix:///path?db=1". ' +
      "What redis-py takes there besides, such as a time-out, has no meaning here: leave it out. " +
      "In a user name and a password, write ? as %3F.",
  );
}
