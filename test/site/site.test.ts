// The documentation site, as it is built, in a real browser.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { brokenLinks } from "./links.ts";
import { buildSite, openBrowser, root, type BuiltSite } from "./built-site.ts";

/** What people search for, and a page that the first results must have. */
const searches: readonly (readonly [words: string, page: string])[] = [
  ["semaphore", "docs/guide.html#semaphores"],
  ["leader", "docs/guide.html#leader"],
  ["deadlock", "docs/guide.html#deadlocks"],
  ["failure modes", "docs/failure-modes.html"],
  ["throttle", "docs/words.html#throttle"],
  ["tryAcquire", "api/interfaces/holdfast.Lock.html#tryacquire"],
];
/** Words whose first result must be a page for users. */
const words: readonly string[] = [
  ...["mutex", "redlock", "cron", "idempotency", "rate limit", "single flight", "advisory lock"],
  ...["fencing token", "jest", "nest", "docker", "bundler", "sessions", "rate limiting"],
];

const tabs = 3;
const viewports = [
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
];
const inPage = readFileSync(join(import.meta.dirname, "in-page.js"), "utf8");

let site: BuiltSite;
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  site = await buildSite();
  browser = await openBrowser();
  context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  await context.addInitScript({ content: inPage });
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
});

test("each link leads to a page, and each anchor to a place in it", () => {
  expect(site.pages.length).toBeGreaterThan(90);
  expect(brokenLinks(site)).toEqual([]);
});

test("each page loads without an error, fits a phone and a desktop, and is legible in light and dark", async () => {
  const faults: string[] = [];
  const queue = [...visited(site.pages)];
  await Promise.all(
    Array.from({ length: tabs }, async () => {
      const page = await context.newPage();
      for (let path = queue.pop(); path !== undefined; path = queue.pop())
        faults.push(...(await faultsOf(page, path)).map((fault) => `${path}: ${fault}`));
      await page.close();
    }),
  );
  expect(faults).toEqual([]);
}, 300_000);

/** All pages but declarations of the API, which one template makes: of those, one in four, and the entry points. */
function visited(pages: readonly string[]): readonly string[] {
  return pages.filter((path, index) => !/^api\/(?!modules\/)/.test(path) || index % 4 === 0);
}

async function faultsOf(page: Page, path: string): Promise<string[]> {
  const faults: string[] = [];
  page.removeAllListeners();
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText ?? "";
    if (why !== "net::ERR_ABORTED") faults.push(`${request.url()}: ${why}`); // that is the next page's doing
  });
  page.on("response", (reply) => reply.status() >= 400 && faults.push(`${reply.url()}: ${reply.status()}`));
  await page.goto(site.url + path, { waitUntil: "load" });
  for (const viewport of viewports) {
    await page.setViewportSize(viewport);
    const wide = await page.evaluate<string[]>("siteTest.widthOverflow()");
    faults.push(...wide.map((what) => `wider than ${viewport.width} px: ${what}`));
  }
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const weak = await page.evaluate<string[]>("siteTest.weakTexts()");
    faults.push(...weak.map((what) => `${colorScheme}: ${what}`));
  }
  return faults;
}

describe("the search", () => {
  test.each(searches)("finds %s in %s", async (words, wanted) => {
    const page = await context.newPage();
    await page.goto(`${site.url}docs/redis.html`);
    expect((await found(page, words)).slice(0, 8)).toContain(site.url + wanted);
    await page.close();
  });

  test.each(words)("finds %s on a page for users", async (word) => {
    const page = await context.newPage();
    await page.goto(`${site.url}index.html`);
    const [first = "nothing"] = await found(page, word);
    expect(first.slice(site.url.length)).toMatch(/^(?:index|docs\/(?!decisions|promises|how-a-lock))/);
    await page.close();
  });

  test("says when there is nothing, opens the first result with Enter, and works from a disk", async () => {
    const page = await context.newPage();
    await page.goto(pathToFileURL(join(site.folder, "docs/guide.html")).href);
    expect(await found(page, "xyzzy-no-such-word")).toEqual([]);
    expect(await page.textContent("dialog.search [role=status]")).toBe("Nothing found.");
    expect(await found(page, "failure modes")).not.toEqual([]);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/docs/failure-modes.html");
    await page.close();
  });
});

/** Where the results lead, best first. */
async function found(page: Page, words: string): Promise<string[]> {
  if (!(await page.isVisible("dialog.search"))) await page.keyboard.press("/");
  await page.waitForFunction("window.holdfastSearch !== undefined");
  await page.fill("dialog.search input", words);
  return page.evaluate<string[]>(
    "[...document.querySelectorAll('dialog.search li a')].map((link) => link.href)",
  );
}

test("the copy button copies the code", async () => {
  const page = await context.newPage();
  await page.goto(`${site.url}docs/memory.html`);
  await page.hover("pre");
  await page.click("pre > button");
  const copied = await page.evaluate<string>("navigator.clipboard.readText()");
  const written = /```ts\n(.*?)\n```/s.exec(readFileSync(join(root, "docs/memory.md"), "utf8"))?.[1];
  expect(copied).toBe(written);
  await page.close();
});

test("on a phone, the copy button can be seen and tapped", async () => {
  const phone = await browser.newContext({ viewport: viewports[0]!, hasTouch: true, isMobile: true });
  await phone.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await phone.newPage();
  await page.goto(`${site.url}docs/memory.html`);
  const button = page.locator("pre > button").first();
  expect(await page.evaluate("getComputedStyle(document.querySelector('pre > button')).opacity")).toBe("1");
  await button.tap();
  expect(await page.evaluate("navigator.clipboard.readText()")).toContain('from "holdfast"');
  await phone.close();
});

test("the menu has the guide and the failure modes first, and what is for contributors last", async () => {
  const page = await context.newPage();
  await page.goto(`${site.url}index.html`);
  const links = await page.evaluate<string[]>(
    "[...document.querySelectorAll('.menu a')].map((link) => link.textContent)",
  );
  expect(links.slice(0, 2)).toEqual(["Start", "Guide"]);
  const place = (text: string): number => links.indexOf(text);
  expect(place("Failure modes")).toBeGreaterThan(0);
  expect(place("Failure modes")).toBeLessThan(place("Redis"));
  expect(place("holdfast")).toBeLessThan(place("Promises"));
  await page.close();
});

test("a citation of a promise says what it promises, and leads there", async () => {
  const page = await context.newPage();
  await page.goto(`${site.url}docs/how-a-lock-is-acquired.html`);
  const cited = page.locator("a", { has: page.locator("abbr.promise", { hasText: /^L9$/ }) }).first();
  expect(await cited.locator("abbr").getAttribute("title")).toMatch(
    /^Dead waiters together delay the others/,
  );
  expect(await cited.getAttribute("href")).toBe("promises.html#l9");
  await page.close();
});

test("llms.txt lists the pages as Markdown, and each page leads to its own", async () => {
  const list = readFileSync(join(site.folder, "llms.txt"), "utf8");
  expect(list).toMatch(/^# Holdfast\n\n> \S/);
  const paths = [...list.matchAll(/^- \[[^\]]+\]\(([^)]+)\)(?:: .+)?$/gm)].map(([, path = ""]) => path);
  expect(paths).toContain("docs/guide.md");
  expect(paths.slice(0, 2)).toEqual(["index.md", "docs/guide.md"]);
  for (const path of paths.filter((one) => !one.startsWith("api/"))) {
    const text = readFileSync(join(site.folder, path), "utf8");
    expect(text).toBe(readFileSync(join(root, path === "index.md" ? "README.md" : path), "utf8"));
    expect(readFileSync(join(site.folder, path.replace(/md$/, "html")), "utf8")).toContain(
      `href="${path.split("/").at(-1) ?? ""}"`,
    );
  }
  expect(readFileSync(join(site.folder, "llms-full.txt"), "utf8")).toContain("# Failure modes\n");
});

test("the API is there as Markdown: the declarations of each entry point, and what its docstrings say", () => {
  const list = readFileSync(join(site.folder, "llms.txt"), "utf8");
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
  for (const path of Object.keys(exports).filter((one) => one !== "./package.json")) {
    const name = `holdfast${path.slice(1)}`;
    expect(list).toContain(`- [${name}](api/modules/${name.replace("/", "_")}.md)\n`);
  }
  const text = readFileSync(join(site.folder, "api/modules/holdfast.md"), "utf8");
  expect(text).toContain("export interface Lock {");
  expect(text).not.toMatch(/@public|ae-forgotten-export|captureStackTrace/);
  expect(text).toMatch(/^- `Lock\.tryAcquire`: \S.+/m);
  const page = readFileSync(join(site.folder, "api/interfaces/holdfast.Lock.html"), "utf8");
  expect(page).toContain('href="../../api/modules/holdfast.md"');
  const about = readFileSync(join(site.folder, "api/functions/holdfast.open.html"), "utf8");
  expect(/<div class="tsd-comment[^>]*>(.*?)<\/div>/s.exec(about)?.[1]).toMatch(/^<p>Opens a store/);
});
