// llms.txt and llms-full.txt, for programs that read documentation: the list of the pages as Markdown, and the pages for
// users in one file (https://llmstxt.org).

import type { ApiDocument } from "./api-markdown.ts";
import { menuTitle, type Section } from "./navigation.ts";

/** The name, what it is, and a line for each page: the API after the pages for users. `manifest`: the text of package.json. */
export function llmsList(
  sections: readonly Section[],
  api: readonly ApiDocument[],
  manifest: string,
): string {
  const { description } = JSON.parse(manifest) as { readonly description: string };
  const forUsers = sections.filter((section) => section.for === "users");
  const reference = api.map(({ name, path }) => `- [${name}](${path})`).join("\n");
  const others = sections.filter((section) => section.for !== "users");
  const lists = [...listsOf(forUsers), `## API\n\n${reference}\n`, ...listsOf(others)];
  return `# Holdfast\n\n> ${description}\n\n${lists.join("\n")}`;
}

function listsOf(sections: readonly Section[]): string[] {
  return sections.map((section) => {
    const title = section.title ?? "Docs";
    const lines = section.pages.map((page) => {
      const summary = page.summary === "" ? "" : `: ${page.summary}`;
      return `- [${menuTitle(page)}](${page.path}.md)${summary}`;
    });
    return `## ${section.for === "contributors" ? `Optional: ${title.toLowerCase()}` : title}\n\n${lines.join("\n")}\n`;
  });
}

/** The pages for users, one after the other; each begins with where it is from. */
export function llmsFull(sections: readonly Section[], text: (file: string) => string): string {
  const pages = sections.filter((section) => section.for === "users").flatMap((section) => section.pages);
  return pages.map((page) => `<!-- ${page.path}.md -->\n\n${text(page.file).trim()}\n`).join("\n\n");
}
