// The documentation is tested like code: its programs compile and print what they say, its links lead somewhere, and
// what must be listed is listed.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectedLines, pages, root, Workshop } from "./doc-blocks.ts";
import { startRedis } from "../../support/redis-server.ts";

const promises = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9"]
  .concat(Array.from({ length: 15 }, (_, n) => `L${String(n + 1)}`))
  .concat(["P1", "P2", "P3", "O1", "E1", "E2"]);
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const workshop = new Workshop();

beforeAll(() => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
}, 120_000);

afterAll(() => {
  rmSync(workshop.folder, { recursive: true, force: true });
});

describe("programs", () => {
  const programs = workshop.blocks.filter(({ runs, isRecipe }) => runs && !isRecipe);
  const onRedis = programs.filter(({ needsRedis }) => needsRedis);
  let redis: Awaited<ReturnType<typeof startRedis>> | undefined;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis?.stop();
  });

  test("all of them compile", () => {
    expect(workshop.blocks.length).toBeGreaterThan(20);
    expect(workshop.compile()).toEqual([]);
  }, 60_000);

  test.concurrent.each(programs)("$name prints what it says", async (block) => {
    const database = onRedis.indexOf(block);
    const url = block.needsRedis ? `${redis?.adminUrl ?? ""}/${String(database)}` : undefined;
    expect(await workshop.run(block, url)).toEqual(expectedLines(block.code));
  });

  test("few are only compiled", () => {
    expect(workshop.blocks.filter(({ runs }) => !runs).length).toBeLessThanOrEqual(3);
  });
});

describe("links", () => {
  test.each(pages())("of %s lead somewhere", (page) => {
    const broken = linksOf(page).filter(
      (target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(page, target),
    );
    expect(broken).toEqual([]);
  });

  test("of pages in the package lead to what is in the package", () => {
    const { files } = JSON.parse(read("package.json")) as { files: string[] };
    const shipped = (path: string): boolean =>
      ["README.md", "LICENSE"].includes(path) ||
      files.some((entry) => path === entry || path.startsWith(`${entry}/`));
    const missing = pages()
      .filter(shipped)
      .flatMap((page) => linksOf(page).map((target) => ({ page, target: target.replace(/#.*/, "") })))
      .filter(({ target }) => target !== "" && !/^[a-z]+:/.test(target))
      .filter(({ page, target }) => !shipped(join(dirname(page), target)));
    expect(missing).toEqual([]);
  });

  function linksOf(page: string): string[] {
    const text = read(page).replaceAll(/^```.*?^```$/gms, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  }

  function leadsSomewhere(page: string, target: string): boolean {
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(root, file))) return false;
    return anchor === undefined || headings(file).includes(anchor);
  }

  /** As GitHub makes them. */
  function headings(page: string): string[] {
    const text = read(page).replaceAll(/^```.*?^```$/gms, "");
    return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    );
  }
});

test("messages cite only pages that users have, by the path where they have them", () => {
  const texts = filesBelow("src").flatMap((file) => {
    const code = read(file).replaceAll(/^\s*(\/\/|\/?\*|--).*$|\s\/\/ .*$/gm, "");
    return [...code.matchAll(/[\w./-]+\.md\b|\bdocs\/[\w./-]*/g)].map(([cited]) => ({ file, cited }));
  });
  const shipped = ({ cited }: { cited: string }): boolean =>
    cited.startsWith("node_modules/holdfast/docs/") &&
    existsSync(join(root, cited.slice("node_modules/holdfast/".length)));
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => !shipped(text))).toEqual([]);
});

describe("words that people search for", () => {
  const words = ["mutex", "semaphore", "redlock", "cron", "idempotency", "leader", "rate limit", "deadlock"];
  const more = ["single flight", "advisory lock"];

  test.each([...words, ...more])("%s is among the words, in README, and a keyword for npm", (word) => {
    expect(read("docs/words.md").toLowerCase()).toMatch(new RegExp(`^## ${word}`, "m"));
    const { keywords } = JSON.parse(read("package.json")) as { keywords: string[] };
    expect(keywords.join(" ").replaceAll("-", " ")).toContain(word);
    expect(read("README.md").toLowerCase().replaceAll(/\s+/g, " ")).toContain(word);
  });
});

describe("lists", () => {
  test("docs/promises.md has every promise, once, and no other", () => {
    const listed = [...read("docs/promises.md").matchAll(/^### \[(\w+)\]$/gm)].map(([, id]) => id);
    expect(listed).toEqual(promises);
  });

  test("no source cites a promise that is not there", () => {
    const cited = filesBelow("src").flatMap((file) => [...read(file).matchAll(/\[([SLPOE]\d+)\]/g)]);
    const unknown = cited.map(([, id = ""]) => id).filter((id) => !promises.includes(id));
    expect(unknown).toEqual([]);
  });

  test("the guide has every error code, every channel and every cause of a warning", () => {
    const guide = read("docs/guide.md");
    const codes = read("src/errors.ts").matchAll(/^ {2}\| "([A-Z_]+)";?$/gm);
    const named = read("src/diagnostics/events.ts") + read("src/diagnostics/traces.ts");
    const channels = named.matchAll(/channel(?:<.*?>)?\("(.*?)"\)/gi);
    const causes = filesBelow("src").flatMap((file) => [
      ...read(file).matchAll(/\bwarn(?:Once)?\(\s*"([a-z-]+)"/g),
    ]);
    const words = [...codes, ...channels, ...causes].map(([, word = ""]) => word);
    expect(words.length).toBeGreaterThan(30);
    expect(words.filter((word) => !guide.includes(`\`${word}\``))).toEqual([]);
  });

  test("decisions are numbered without gaps and at most 40 lines long", () => {
    const files = readdirSync(join(root, "docs/decisions")).sort();
    expect(files.map((file) => file.slice(0, 4))).toEqual(
      files.map((_, index) => String(index + 1).padStart(4, "0")),
    );
    const long = files.filter((file) => read(`docs/decisions/${file}`).trimEnd().split("\n").length > 40);
    expect(long).toEqual([]);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") || path.endsWith(".lua"))
    .map((path) => join(folder, path));
}
