// The links of the built pages, read from the files: every address within the site must be there, with its anchor.

import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

import type { BuiltSite } from "./built-site.ts";

/** "docs/guide.html: no redis.html#clusters". */
export function brokenLinks({ folder, pages }: Pick<BuiltSite, "folder" | "pages">): string[] {
  const ids = new Map<string, Set<string>>();
  const idsOf = (path: string): Set<string> => {
    const known = ids.get(path) ?? new Set(valuesOf(readFileSync(join(folder, path), "utf8"), "id"));
    ids.set(path, known);
    return known;
  };
  return pages.flatMap((page) => {
    const html = readFileSync(join(folder, page), "utf8");
    const links = new Set([...valuesOf(html, "href"), ...valuesOf(html, "src")]);
    return [...links].filter((link) => !leads(link, page)).map((link) => `${page}: no ${link}`);
  });

  function leads(link: string, page: string): boolean {
    if (/^[a-z]+:/i.test(link)) return true; // another site
    const [path = "", anchor] = decodeURIComponent(link).split("#");
    const target = path === "" ? page : posix.join(posix.dirname(page), path.split("?")[0] ?? "");
    if (target.startsWith("..") || !existsSync(join(folder, target))) return false;
    return anchor === undefined || anchor === "" || !target.endsWith(".html") || idsOf(target).has(anchor);
  }
}

function valuesOf(html: string, attribute: string): string[] {
  return [...html.matchAll(new RegExp(`\\s${attribute}="([^"]*)"`, "g"))].map(([, value = ""]) =>
    value.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&"),
  );
}
