// Runs typedoc: it makes the pages of the API from the sources and the other pages from their copies, and checks links,
// anchors and that every public member is documented. Ours are the menu, the addresses of the pages, and the search.

import { join } from "node:path";
import {
  Application,
  Converter,
  type DeclarationReflection,
  DefaultTheme,
  DefaultThemeRenderContext,
  JSX,
  KindRouter,
  type PageEvent,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  Renderer,
  type Router,
} from "typedoc";

import { markdownOf } from "./api-markdown.ts";
import { entryPoints } from "./entry-points.ts";
import { type ApiModule, menuHtml } from "./menu.ts";
import type { Section } from "./navigation.ts";
import type { Page } from "./sources.ts";

export interface TypedocOptions {
  readonly root: string;
  /** The copies of the pages: sources.ts. */
  readonly sources: string;
  readonly out: string;
  readonly pages: readonly Page[];
  readonly sections: readonly Section[];
}

/** A declaration of the API that the search finds. */
export interface ApiEntry {
  readonly name: string;
  /** "holdfast, class": where it is and what it is. */
  readonly where: string;
  readonly url: string;
  readonly text: string;
}

export interface TypedocResult {
  readonly entries: readonly ApiEntry[];
  /** `false`: typedoc has printed what is wrong. */
  readonly isClean: boolean;
}

export async function runTypedoc(options: TypedocOptions): Promise<TypedocResult> {
  const app = await Application.bootstrap(configuration(options));
  const names = new Map(entryPoints(options.root).map(({ name, source }) => [moduleName(source), name]));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = names.get(module.name) ?? module.name;
  });
  app.renderer.defineRouter("holdfast", SiteRouter);
  app.renderer.defineTheme("holdfast", themeOf(options));
  let entries: readonly ApiEntry[] = [];
  // Only until rendering has ended are addresses known.
  app.renderer.on(Renderer.EVENT_END, ({ project }) => (entries = apiEntries(project, app.renderer.router)));
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc could not read the sources: see above");
  app.options.setValue("intentionallyNotDocumented", explainedElsewhere(project));
  app.validate(project);
  await app.generateDocs(project, options.out);
  return {
    entries,
    isClean: !app.logger.hasErrors() && !app.logger.hasWarnings(),
  };
}

function configuration({
  root,
  sources,
  pages,
}: TypedocOptions): Parameters<typeof Application.bootstrap>[0] {
  const documents = pages.filter(({ path }) => path !== "index").map(({ file }) => join(sources, file));
  return {
    name: "Holdfast",
    entryPoints: entryPoints(root).map(({ source }) => join(root, source)),
    tsconfig: join(root, "tsconfig.json"),
    basePath: root,
    readme: join(sources, "README.md"),
    projectDocuments: documents,
    router: "holdfast",
    theme: "holdfast",
    customCss: join(import.meta.dirname, "client/site.css"),
    favicon: join(import.meta.dirname, "client/favicon.svg"),
    customJs: join(import.meta.dirname, "client/search.js"),
    highlightLanguages: ["bash", "css", "javascript", "json", "lua", "sql", "tsx", "typescript", "yaml"],
    lightHighlightTheme: "github-light-high-contrast",
    darkHighlightTheme: "github-dark-high-contrast",
    disableGit: true,
    disableSources: true,
    excludeExternals: true, // what classes inherit from Node's own
    excludePrivate: true,
    excludeInternal: true,
    hideGenerator: true,
    includeHierarchySummary: false,
    intentionallyNotExported: ["BackendMethod"], // as FaultyMethod
    skipErrorChecking: true, // `npm run types` does that
    validation: { notDocumented: true, invalidLink: true, notExported: true, invalidPath: true },
    logLevel: "Warn",
  };
}

/**
 * What needs no docstring: the `kind` or `status` by which cases are told apart, whose value says it all; and, in the
 * contract for backends, members of types without a name, which the comment around them explains.
 */
function explainedElsewhere(project: ProjectReflection): string[] {
  const names = project
    .getReflectionsByKind(ReflectionKind.Property)
    .filter((property) => !property.hasComment())
    .map((property) => property.getFriendlyFullName())
    .filter((name) => /\.(?:kind|status)$|^holdfast\/backend\.[A-Z]\w*\.(?:\w+\.)?__type\./.test(name));
  return [...new Set(names)];
}

/** What typedoc calls the module of an entry point. */
function moduleName(source: string): string {
  return source.replace(/(?:\/index)?\.ts$/, "");
}

/** Pages have the paths of their files, and the API a folder of its own. */
class SiteRouter extends KindRouter {
  protected override getIdealBaseName(reflection: Reflection): string {
    if (reflection.isDocument()) return String(reflection.frontmatter["path"]);
    return `api/${super.getIdealBaseName(reflection)}`;
  }
}

function themeOf({ pages, sections }: TypedocOptions): typeof DefaultTheme {
  class SiteContext extends DefaultThemeRenderContext {
    override navigation = (event: PageEvent<Reflection>): JSX.Element => {
      const base = "../".repeat(event.url.split("/").length - 1);
      const api = apiModules(event.project, this.router);
      return raw(menuHtml({ sections, api, url: event.url, base }));
    };
  }
  const markdown = new Map(pages.map((page) => [`${page.path}.html`, `${page.path}.md`]));
  return class SiteTheme extends DefaultTheme {
    override ContextClass = SiteContext;
    constructor(renderer: ConstructorParameters<typeof DefaultTheme>[0]) {
      super(renderer);
      renderer.hooks.on("content.begin", ({ page }) => {
        const path = page.url.startsWith("api/") ? `../../${markdownOf(page.url)}` : markdown.get(page.url);
        const link = path?.startsWith("../") ? path : path?.split("/").at(-1);
        return raw(link === undefined ? "" : `<a class="as-markdown" href="${link}">Markdown</a>`);
      });
    }
  };
}

function raw(html: string): JSX.Element {
  return JSX.createElement(JSX.Raw, { html });
}

function apiModules(project: ProjectReflection, router: Router): ApiModule[] {
  return (project.children ?? []).map((module) => ({
    text: module.name,
    url: router.getFullUrl(module),
    members: (module.children ?? [])
      .filter((member) => router.hasUrl(member))
      .map((member) => ({ text: member.name, url: router.getFullUrl(member) })),
  }));
}

function apiEntries(project: ProjectReflection, router: Router | undefined): ApiEntry[] {
  if (router === undefined) throw new Error("typedoc has forgotten its addresses: adapt apiEntries");
  return Object.values(project.reflections)
    .filter((member) => member.isDeclaration())
    .filter((member) => router.hasUrl(member) && member.parent?.name !== "__type")
    .map((member) => ({
      name: nameOf(member),
      where: whereOf(member),
      url: router.getFullUrl(member),
      text: summaryOf(member),
    }));
}

/** With its class or interface: "Store.lock". */
function nameOf(member: DeclarationReflection): string {
  const parent = member.parent;
  const isMember = parent?.kindOf([ReflectionKind.Class, ReflectionKind.Interface]) === true;
  return isMember ? `${parent.name}.${member.name}` : member.name;
}

function whereOf(member: Reflection): string {
  let module: Reflection | undefined = member;
  while (module !== undefined && !module.kindOf(ReflectionKind.Module)) module = module.parent;
  const kind = ReflectionKind.singularString(member.kind).toLowerCase();
  return module === undefined || module === member ? kind : `${module.name}, ${kind}`;
}

function summaryOf(member: DeclarationReflection): string {
  const comments = [member.comment, ...(member.signatures ?? []).map((signature) => signature.comment)];
  return comments
    .map((comment) => comment?.summary.map((part) => part.text).join("") ?? "")
    .join(" ")
    .replaceAll("`", "")
    .trim();
}
