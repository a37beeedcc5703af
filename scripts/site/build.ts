// Builds the documentation site into site/: `npm run docs`. It is static, and works from any web server and from a disk.
// Beside each page is its Markdown, and llms.txt lists the pages for programs that read.
//   --out FOLDER  build into another folder, which is replaced

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { apiDocuments } from "./api-markdown.ts";
import { sectionsOf } from "./navigation.ts";
import { llmsFull, llmsList } from "./llms.ts";
import { searchIndex } from "./search-index.ts";
import { type Sources, writeSources } from "./sources.ts";
import { runTypedoc } from "./typedoc.ts";

const root = join(import.meta.dirname, "../..");
const { out: given } = parseArgs({ options: { out: { type: "string", default: "site" } } }).values;
await build(resolve(root, given));

async function build(out: string): Promise<void> {
  mkdirSync(join(root, "temp"), { recursive: true });
  const folder = mkdtempSync(join(root, "temp/site-sources-"));
  try {
    const sources = writeSources(root, folder);
    const recipes = join(root, "docs/recipes/README.md");
    const sections = sectionsOf(sources.pages, existsSync(recipes) ? readFileSync(recipes, "utf8") : "");
    rmSync(out, { recursive: true, force: true });
    const { entries, isClean } = await runTypedoc({
      root,
      sources: folder,
      out,
      pages: sources.pages,
      sections,
    });
    const pages = sections.flatMap((section) =>
      section.pages.map((page) => ({ ...page, forUsers: section.for === "users" })),
    );
    writeFileSync(join(out, "assets/search-index.js"), searchIndex({ out, pages, api: entries }));
    writeFileSync(join(out, "assets/search.js"), "// The search is in custom.js and search-index.js.\n");
    copyOriginals(sources, folder, out);
    const text = (file: string): string => readFileSync(join(root, file), "utf8");
    const api = apiDocuments(root, entries);
    for (const document of api) writeFileSync(join(out, document.path), document.text);
    writeFileSync(join(out, "llms.txt"), llmsList(sections, api, text("package.json")));
    writeFileSync(join(out, "llms-full.txt"), llmsFull(sections, text));
    console.log(`${out}: ${pages.length} pages and the API. Open index.html.`);
    if (isClean) return;
    console.error(
      "typedoc has warned, see above: every public member needs a docstring, and every link a target.",
    );
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The Markdown of the pages, and the files that it links to, at their own paths: its links work as they are. */
function copyOriginals({ pages, linked }: Sources, folder: string, out: string): void {
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(join(out, to)), { recursive: true });
    cpSync(from, join(out, to));
  };
  for (const { file, path, kind } of pages) {
    const original = kind === "page" ? join(root, file) : join(folder, file);
    copy(original, file);
    if (`${path}.md` !== file) copy(original, `${path}.md`);
  }
  for (const file of linked) {
    const original = join(root, file);
    if (existsSync(original) && statSync(original).isFile()) copy(original, file);
  }
}
