// The order of the pages in the menu and in llms.txt: what users need first, what contributors need last. Pages that are
// named nowhere here come under "More", so that a new page is in the menu at once.

import type { Page } from "./sources.ts";

export interface Section {
  /** `undefined`: its pages stand at the top of the menu. */
  readonly title: string | undefined;
  /** Closed until one of its pages is open: it has many. */
  readonly folded: boolean;
  readonly pages: readonly Page[];
  readonly for: "users" | "contributors";
}

interface SectionPlan {
  readonly title?: string;
  readonly folded?: boolean;
  readonly for?: "contributors";
  /** In this order. An asterisk at the end takes all that begin like this and are named nowhere. */
  readonly paths: readonly string[];
}

const plans: readonly SectionPlan[] = [
  { paths: ["index", "docs/guide", "docs/words", "docs/failure-modes", "docs/errors", "examples/README"] },
  { title: "Recipes", paths: ["docs/recipes/README", "docs/recipes/*"] },
  { title: "Backends", paths: ["docs/redis", "docs/servers", "docs/sqlite", "docs/memory"] },
  { title: "Coming from", paths: ["docs/comparison", "docs/from-*"] },
  {
    title: "More",
    paths: [
      ...["docs/testing", "docs/cli", "docs/monitoring", "docs/schemas", "docs/sealing", "docs/pickle"],
      ...["docs/packaging", "docs/supported-versions", "*", "CHANGELOG"],
    ],
  },
  {
    title: "Background",
    for: "contributors",
    paths: ["docs/promises", "docs/how-a-lock-is-acquired", "bench/*"],
  },
  { title: "Decisions", for: "contributors", folded: true, paths: ["docs/decisions/*"] },
];

/** What the menu calls pages whose title is longer than it needs to be there. */
const shortTitles: Readonly<Record<string, string>> = {
  index: "Start",
  "examples/README": "Examples",
  "docs/recipes/README": "All recipes",
  CHANGELOG: "Changes",
};

export function menuTitle(page: Page): string {
  return page.short ?? shortTitles[page.path] ?? page.title;
}

/** Sections without a page are left out. `recipes` is the text of docs/recipes/README.md, whose headings group them. */
export function sectionsOf(pages: readonly Page[], recipes = ""): readonly Section[] {
  const listed = pages.filter((page) => page.kind === "page");
  const groups = recipeGroups(recipes);
  const all = plans.flatMap((plan) => (plan.title === "Recipes" ? [plan, ...groups] : [plan]));
  const named = new Set(groups.flatMap(({ paths }) => paths));
  const placeOf = (path: string): string => (named.has(path) ? path : planned(path));
  return all
    .map((plan) => ({
      title: plan.title,
      folded: plan.folded ?? false,
      for: plan.for ?? ("users" as const),
      pages: plan.paths
        .flatMap((path) => listed.filter((page) => placeOf(page.path) === path))
        .map((page) => ({ ...page, ...(named.has(page.path) && { short: recipeName(page, recipes) }) })),
    }))
    .filter((section) => section.pages.length > 0);
}

/** A section for each heading of the second level that has links to recipes; each recipe is in the first that has it. */
function recipeGroups(text: string): SectionPlan[] {
  const seen = new Set<string>();
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const links = [...part.matchAll(/\]\((?:\.\/)?([\w-]+)\.md/g)].map(
        ([, name]) => `docs/recipes/${name ?? ""}`,
      );
      const paths = [...new Set(links)].filter((path) => !seen.has(path));
      for (const path of paths) seen.add(path);
      return { title: `Recipes: ${part.split("\n", 1)[0]?.trim() ?? ""}`, paths };
    })
    .filter(({ paths }) => paths.length > 0);
}

/** The text of the link to it in the list of recipes. */
function recipeName({ path, title }: Page, text: string): string {
  const name = path.slice("docs/recipes/".length);
  return new RegExp(`\\[([^\\]]+)\\]\\((?:\\./)?${name}\\.md`).exec(text)?.[1] ?? title;
}

/** The entry of the plans that a page belongs to: its own, or else the longest one with an asterisk. */
function planned(path: string): string {
  const entries = plans.flatMap((plan) => plan.paths);
  if (entries.includes(path)) return path;
  const open = entries.filter((entry) => entry.endsWith("*") && path.startsWith(entry.slice(0, -1)));
  return open.toSorted((a, b) => b.length - a.length)[0] ?? "*";
}
