// What the search looks through: each section of each page with the text below its heading, read from the pages as they
// were written, so that the anchors are those of the pages; and each declaration of the API. One file, loaded when somebody
// searches; it is a script, since a page that is opened from a disk may not fetch data.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "./sources.ts";
import type { ApiEntry } from "./typedoc.ts";

interface SearchEntry {
  readonly title: string;
  /** The page that a section is in. */
  readonly where: string;
  readonly url: string;
  readonly text: string;
  /** What comes first among equals: 2 a page for users, 1 the API, 0 what is for contributors, and the changes. */
  readonly rank: number;
}

export interface IndexOptions {
  readonly out: string;
  /** Pages in the menu, those for users first. */
  readonly pages: readonly (Page & { readonly forUsers: boolean })[];
  readonly api: readonly ApiEntry[];
}

/** The text of the script. */
export function searchIndex({ out, pages, api }: IndexOptions): string {
  const sections = pages.flatMap((page) => {
    const html = readFileSync(join(out, `${page.path}.html`), "utf8");
    return sectionsOf(html).map(({ anchor, title, text }, index) => ({
      title,
      where: index === 0 ? "" : page.title,
      url: index === 0 ? `${page.path}.html` : `${page.path}.html#${anchor}`,
      text,
      rank: page.forUsers && page.path !== "CHANGELOG" ? 2 : 0,
    }));
  });
  const declarations = api.map(({ name, ...entry }) => ({
    ...entry,
    title: name,
    rank: entry.where.startsWith("holdfast/backend") ? 0 : 1,
  }));
  const entries: SearchEntry[] = [...sections, ...declarations];
  return `window.holdfastSearch = ${JSON.stringify(entries).replaceAll("<", "\\u003c")};\n`;
}

/** The first is the page itself. */
function sectionsOf(html: string): { anchor: string; title: string; text: string }[] {
  const content = /<div class="tsd-panel tsd-typography">([\s\S]*?)<div class="col-sidebar">/.exec(html)?.[1];
  if (content === undefined)
    throw new Error("typedoc lays out its pages in another way now: adapt sectionsOf");
  return content.split(/(?=<h[1-4] id=")/).flatMap((part) => {
    const [, anchor = "", heading = "", text = ""] =
      /^<h[1-4] id="([^"]*)"[^>]*>(.*?)<\/h[1-4]>([\s\S]*)/.exec(part) ?? [];
    return anchor === "" ? [] : [{ anchor, title: textOf(heading), text: textOf(text) }];
  });
}

function textOf(html: string): string {
  return html
    .replaceAll(/<button>.*?<\/button>/g, "")
    .replaceAll(/<(?:br|p|li|td|th|tr|pre|div|h\d)\b[^>]*>/g, " ")
    .replaceAll(/<[^>]+>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll(/&#3?9;|&apos;/g, "'")
    .replaceAll("&amp;", "&")
    .replaceAll(/\s+/g, " ")
    .trim();
}
