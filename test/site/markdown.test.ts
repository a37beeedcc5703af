// How the copies of the pages are made of the files: links, citations, code, the menu.

import { expect, test } from "vitest";

import { rewriteMarkdown } from "../../scripts/site/markdown.ts";
import { readPromises } from "../../scripts/site/promises.ts";
import { menuTitle, sectionsOf } from "../../scripts/site/navigation.ts";

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

const page = (path: string) => ({
  path,
  file: `${path}.md`,
  title: path,
  summary: "",
  kind: "page" as const,
});

test("a promise is the first sentence of its quote", () => {
  const text =
    "### [L7]\n\n> A caller that stops\n> waiting `leaves` nothing; and\n> so on.\n\n- Core: …\n\n### [L8]\n\nNone.\n";
  expect([...readPromises(text)]).toEqual([["L7", "A caller that stops waiting leaves nothing."]]);
});

test("recipes are grouped by the headings of their list; one that it does not name is with the list", () => {
  const names = ["README", "cron", "leader", "other", "rate-limit"];
  const list =
    "# Recipes\n\n## Jobs\n\n- [Leader](leader.md)\n- [Cron](cron.md)\n\n## Web\n\n| [Rate](rate-limit.md#a) | [Cron](cron.md) |\n";
  const sections = sectionsOf(
    names.map((name) => page(`docs/recipes/${name}`)),
    list,
  );
  expect(
    sections.map(({ title, pages }) => [title, ...pages.map(({ path }) => path.split("/").at(-1))]),
  ).toEqual([
    ["Recipes", "README", "other"],
    ["Recipes: Jobs", "leader", "cron"],
    ["Recipes: Web", "rate-limit"],
  ]);
  expect(sections[1]?.pages.map(menuTitle)).toEqual(["Leader", "Cron"]);
});

test("a page that the menu does not name is under More, and recipes are together", () => {
  const paths = ["docs/new", "docs/recipes/cron", "docs/recipes/README", "docs/decisions/0001-x", "index"];
  const sections = sectionsOf(paths.map(page));
  expect(sections.map(({ title, pages }) => [title, pages.map(({ path }) => path)])).toEqual([
    [undefined, ["index"]],
    ["Recipes", ["docs/recipes/README", "docs/recipes/cron"]],
    ["More", ["docs/new"]],
    ["Decisions", ["docs/decisions/0001-x"]],
  ]);
});
