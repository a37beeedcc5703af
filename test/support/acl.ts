// The least-privileged user that docs/redis.md tells people to create. The page itself is read, so that every test that
// connects by a server's URL has exactly the commands, keys and channels that the page names, and no more.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const page = join(import.meta.dirname, "../../docs/redis.md");

/** The one rule of the page, on one line, as it stands in an ACL file. */
export function documentedRule(): string {
  const [, rule] = /^```\n(user app on >password [^`]*)^```/m.exec(readFileSync(page, "utf8")) ?? [];
  if (rule === undefined)
    throw new Error("docs/redis.md has no ACL rule that begins with `user app on >password`");
  return rule.trim().split(/\s+/).join(" ");
}

/** The commands that the rule gives, such as `+get`. */
export function documentedRights(): string[] {
  return documentedRule()
    .split(" ")
    .filter((word) => word.startsWith("+"));
}

/** What the page adds for a cluster. */
export function documentedClusterRights(): string[] {
  const [, rights] = /^```\n(\+cluster\|slots [^`]*)^```/m.exec(readFileSync(page, "utf8")) ?? [];
  if (rights === undefined) throw new Error("docs/redis.md has no rights that begin with `+cluster|slots`");
  return rights.trim().split(/\s+/);
}

/** What the page adds for a store with an index. */
export function documentedIndexRights(): string[] {
  const [, rights] = /^```\n(\+zlexcount [^`]*)^```/m.exec(readFileSync(page, "utf8")) ?? [];
  if (rights === undefined) throw new Error("docs/redis.md has no rights that begin with `+zlexcount`");
  return rights.trim().split(/\s+/);
}

/** Whom the tests' URLs log in as. The password is one that is easily found in a text where it must not be [P3]. */
export const appUser = { name: "app", password: "pw-of-the-tests-own-app-user" } as const;

/** A line of an ACL file: the documented rule, with these prefixes in the place of its own, and more rights. */
export function appLine(prefixes: readonly string[], more: readonly string[] = []): string {
  const words = documentedRule()
    .replace(">password", `>${appUser.password}`)
    .split(" ")
    .flatMap((word) =>
      /^[~&]/.test(word)
        ? prefixes.map((prefix) => word.replace("holdfast:", () => escaped(prefix)))
        : [word],
    );
  return [...words, ...more].join(" ");
}

/** Characters of a prefix that mean something in a pattern stand for themselves. */
function escaped(prefix: string): string {
  return prefix.replaceAll(/[*?[\]\\]/g, "\\$&");
}
