// How the copies of the pages are made of the files: links, citations, code, the menu.

import { expect, test } from "vitest";

import { rewriteMarkdown } from "../../scripts/site/markdown.ts";
import { readPromises } from "../../scripts/site/promises.ts";
import { sectionsOf } from "../../scripts/site/navigation.ts";

const rewriting = {
  promise: (id: string) => `<${id}>`,
  link: ({ path, anchor }: { path: string; anchor: string }) => `to/${path}${anchor}`,
};

test("relative links and citations are replaced", () => {
  const text = 'It is refused [S4] [L7]: see [here](redis.md#a "title"), [there](../examples/).';
  expect(rewriteMarkdown(text, rewriting)).toBe(
    'It is refused <S4> <L7>: see [here](to/redis.md#a "title"), [there](to/../examples/).',
  );
});

test("links of other sites and of the page, code and headings stay as they are", () => {
  const text = [
    "### [L7]",
    "[a](https://example.org/x.md) [b](#l7) [c](mailto:x@example.org)",
    "`[L7]` and ``x ` [L8] [d](e.md)``, [link of its own [L9]](x)",
    "```ts\nconst x = list[L1]; // [L2] [f](g.md)\n```",
    "````md\n```\n[L3]\n```\n````",
  ].join("\n\n");
  expect(rewriteMarkdown(text, rewriting)).toBe(text.replace("](x)", "](to/x)").replace("[L9]", "[L9]"));
});

test("a promise is the first sentence of its quote", () => {
  const text =
    "### [L7]\n\n> A caller that stops\n> waiting `leaves` nothing; and\n> so on.\n\n- Core: …\n\n### [L8]\n\nNone.\n";
  expect([...readPromises(text)]).toEqual([["L7", "A caller that stops waiting leaves nothing."]]);
});

test("a page that the menu does not name is under More, and recipes are together", () => {
  const page = (path: string) => ({
    path,
    file: `${path}.md`,
    title: path,
    summary: "",
    kind: "page" as const,
  });
  const paths = ["docs/new", "docs/recipes/cron", "docs/recipes/README", "docs/decisions/0001-x", "index"];
  const sections = sectionsOf(paths.map(page));
  expect(sections.map(({ title, pages }) => [title, pages.map(({ path }) => path)])).toEqual([
    [undefined, ["index"]],
    ["Recipes", ["docs/recipes/README", "docs/recipes/cron"]],
    ["More", ["docs/new"]],
    ["Decisions", ["docs/decisions/0001-x"]],
  ]);
});
