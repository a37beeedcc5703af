// Which files become pages of the site, and the copies of them that typedoc reads. A page is a Markdown file; a file or a
// folder that a page links to becomes a page of its own, which shows the source or lists the folder. The copies are laid
// out as in the repository, so that a relative link leads to the same file here, on GitHub and in the package.

import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, extname, join, posix } from "node:path";

import { type LinkTarget, rewriteMarkdown } from "./markdown.ts";
import { readPromises } from "./promises.ts";

/** Of the package; CONTRIBUTING.md is for the repository. */
const pagePatterns = ["README.md", "CHANGELOG.md", "docs/**/*.md", "bench/*.md", "examples/**/*.md"];
const imageEndings = [".svg", ".png", ".jpg", ".gif", ".webp"];

export interface Page {
  /** The path of the file in the repository. */
  readonly file: string;
  /** The path of the page in the site, without ".html". */
  readonly path: string;
  readonly title: string;
  /** What the menu calls it, if that is not the title. */
  readonly short?: string;
  /** The first sentence of the page, as plain text. */
  readonly summary: string;
  /** "generated" shows a source or lists a folder, and is in no list of pages. */
  readonly kind: "page" | "generated";
}

export interface Sources {
  readonly pages: readonly Page[];
  /** Files that pages link to, which the site has at their own paths as well. */
  readonly linked: readonly string[];
}

/** Writes the copies into `folder`. Throws an error that names each link that leads to no file. */
export function writeSources(root: string, folder: string): Sources {
  const writer = new Writer(root, folder);
  const files = globSync(pagePatterns, { cwd: root }).map((file) => file.replaceAll("\\", "/"));
  for (const file of files.toSorted()) writer.addPage(file);
  writer.finish();
  return { pages: writer.pages, linked: [...writer.linked] };
}

class Writer {
  readonly pages: Page[] = [];
  readonly linked = new Set<string>();
  readonly #root: string;
  readonly #folder: string;
  readonly #promises: ReadonlyMap<string, string>;
  readonly #dead: string[] = [];

  constructor(root: string, folder: string) {
    this.#root = root;
    this.#folder = folder;
    this.#promises = readPromises(readFileSync(join(root, "docs/promises.md"), "utf8"));
  }

  addPage(file: string): void {
    const text = readFileSync(join(this.#root, file), "utf8");
    const promisesPage = posix.relative(posix.dirname(file), "docs/promises.md");
    const rewritten = rewriteMarkdown(text, {
      promise: (id) => this.#promise(id, promisesPage),
      link: (target) => this.#link(file, target),
    });
    this.#write({ file, text: rewritten, kind: "page", title: titleOf(text), summary: summaryOf(text) });
  }

  finish(): void {
    for (const file of this.linked) this.#addLinked(file);
    if (this.#dead.length > 0) throw new Error(`Links that lead to no file:\n${this.#dead.join("\n")}`);
  }

  #promise(id: string, promisesPage: string): string {
    const says = this.#promises.get(id);
    if (says === undefined) {
      this.#dead.push(`[${id}] is no promise of docs/promises.md`);
      return `[${id}]`;
    }
    return `[<abbr class="promise" title="${escapeHtml(says)}">${id}</abbr>](${promisesPage}#${id.toLowerCase()})`;
  }

  /** Where a link of the copy leads. Pages and images are as they are in the repository. */
  #link(from: string, { path, anchor }: LinkTarget): string {
    const target = posix.join(posix.dirname(from), path).replace(/\/$/, "");
    const place = join(this.#root, target);
    if (!existsSync(place) || target.startsWith("..")) {
      this.#dead.push(`${from} links to ${path}`);
      return path + anchor;
    }
    if (statSync(place).isDirectory()) {
      if (existsSync(join(place, "README.md"))) return `${path.replace(/\/$/, "")}/README.md${anchor}`;
      this.linked.add(target);
      return `${path.replace(/\/$/, "")}/index.md`;
    }
    if (extname(target) === ".md") return path + anchor;
    this.linked.add(target);
    return imageEndings.includes(extname(target)) ? path : `${path}.md`;
  }

  /** Set iteration also visits what is added meanwhile: the files of a folder that is listed. */
  #addLinked(file: string): void {
    const place = join(this.#root, file);
    if (statSync(place).isDirectory()) return this.#addFolder(file);
    if (imageEndings.includes(extname(file))) {
      mkdirSync(dirname(join(this.#folder, file)), { recursive: true });
      return cpSync(place, join(this.#folder, file));
    }
    const language = extname(file).slice(1);
    const text = `# ${file}\n\n\`\`\`\`${language}\n${readFileSync(place, "utf8").trimEnd()}\n\`\`\`\`\n`;
    this.#write({ file: `${file}.md`, text, kind: "generated", title: file, summary: "" });
  }

  #addFolder(folder: string): void {
    const names = readdirSync(join(this.#root, folder)).toSorted();
    const rows = names.map((name) => {
      const file = `${folder}/${name}`;
      const isPage = extname(name) === ".md";
      const title = isPage ? titleOf(readFileSync(join(this.#root, file), "utf8")) : name;
      return `- [${title}](${this.#link(`${folder}/index.md`, { path: name, anchor: "" })})`;
    });
    const text = `# ${folder}\n\n${rows.join("\n")}\n`;
    this.#write({ file: `${folder}/index.md`, text, kind: "generated", title: folder, summary: "" });
  }

  #write({ text, ...page }: Omit<Page, "path"> & { readonly text: string }): void {
    const path = page.file === "README.md" ? "index" : page.file.replace(/\.md$/, "");
    const place = join(this.#folder, page.file);
    mkdirSync(dirname(place), { recursive: true });
    const isStart = path === "index"; // typedoc has no front matter there
    const matter = `---\ntitle: ${JSON.stringify(page.title)}\npath: ${JSON.stringify(path)}\n---\n`;
    writeFileSync(place, isStart ? text : matter + text);
    this.pages.push({ ...page, path });
  }
}

function titleOf(text: string): string {
  return plain(/^# (.+)$/m.exec(text)?.[1] ?? "Untitled");
}

function summaryOf(text: string): string {
  const paragraph = text.split(/\n{2,}/).find((part) => /^[A-Za-z`*[“"]/.test(part)) ?? "";
  return plain(/^.*?[.:!?](?=\s|$)/s.exec(paragraph)?.[0] ?? paragraph).replace(/:$/, ".");
}

/** Without the marks of Markdown. */
function plain(text: string): string {
  return text
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[`*]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
