// The code blocks of the documentation, as programs: written out, compiled as a user of the built package would, and run.
// What a program must print stands in it, in comments that begin with an arrow.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";

export const root = join(import.meta.dirname, "../../..");
/** Stands for a server in the docs; programs that name it get a real one, each a database of its own. */
export const redisInDocs = "redis://localhost:6379";

export interface Block {
  /** Such as `docs/guide.md:12`. */
  readonly name: string;
  /** `ts` is compiled and run; `ts compile` is compiled only. */
  readonly runs: boolean;
  readonly needsRedis: boolean;
  /** Of docs/recipes: also run on Redis, by recipes.test.ts. */
  readonly isRecipe: boolean;
  readonly path: string;
  readonly code: string;
}

/** Every page that people read, relative to the repository. */
export function pages(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => join(folder, path));
  const found = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...below("docs"), ...below("examples")];
  return found.filter((path) => path.endsWith(".md")).sort();
}

/** A folder in which `holdfast` and what the docs use beside it are installed, with all blocks in it. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-docs-"));
  readonly blocks: readonly Block[];

  constructor() {
    mkdirSync(join(this.folder, "node_modules/@redis"), { recursive: true });
    symlinkSync(root, join(this.folder, "node_modules/holdfast"), "dir");
    for (const name of [
      "@redis/client",
      "@opentelemetry",
      "@types",
      "bullmq",
      "express",
      "fastify",
      "ioredis",
      "zod",
    ]) {
      symlinkSync(join(root, "node_modules", name), join(this.folder, "node_modules", name), "dir");
    }
    this.blocks = pages().flatMap((page) => this.#extract(page));
    for (const { path, code } of this.blocks) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, code);
      // What README shows can be typed as JavaScript, too.
      if (path.includes("README")) writeFileSync(path.replace(/\.mts$/, ".mjs"), code);
    }
  }

  /** What the compiler says of all blocks, with the repository's own settings. */
  compile(): string[] {
    const config = ts.getParsedCommandLineOfConfigFile(join(root, "tsconfig.json"), undefined, {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (problem) => {
        throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, "\n"));
      },
    });
    const typeRoots = [join(root, "node_modules/@types")];
    const options = { ...config?.options, paths: {}, typeRoots };
    const program = ts.createProgram(
      this.blocks.map(({ path }) => path),
      options,
    );
    return ts.getPreEmitDiagnostics(program).map((problem) => {
      const { file, start = 0, messageText } = problem;
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
      const block = this.blocks.find(({ path }) => path === file?.fileName);
      const place = block?.name.replace(/:\d+$/, `:${line}`) ?? file?.fileName ?? "";
      return `${place} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
  }

  /**
   * Runs a block in an empty folder of its own; answers the lines that it printed. `redisUrl`: in place of the one that it
   * names; `target`: what `open()` uses in place of a SQLite file.
   */
  async run(block: Block, redisUrl?: string, target?: string): Promise<string[]> {
    const cwd = mkdtempSync(join(this.folder, "run-"));
    writeFileSync(join(cwd, "package.json"), "{}");
    const { HOLDFAST_URL: _url, NODE_ENV: _mode, ...env } = process.env;
    if (target !== undefined) env["HOLDFAST_URL"] = target;
    const path = block.path.includes("README") ? block.path.replace(/\.mts$/, ".mjs") : block.path;
    const program = join(cwd, basename(path));
    const code = readFileSync(path, "utf8").replaceAll(redisInDocs, redisUrl ?? redisInDocs);
    writeFileSync(program, code);
    const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd, env, timeout: 30_000 });
    return stdout.split("\n").filter((line) => line !== "");
  }

  /** Blank lines take the place of the text, so that line numbers in errors are those of the page. */
  #extract(page: string): Block[] {
    const text = readFileSync(join(root, page), "utf8");
    return [...text.matchAll(/^```ts( compile)?\n(.*?)^```$/gms)].map((found) => {
      const [, mark, code = ""] = found;
      const line = text.slice(0, found.index).split("\n").length + 1;
      const path = join(this.folder, "blocks", page.replaceAll(/[/.]/g, "-"), `${String(line)}.mts`);
      const name = `${relative(root, join(root, page))}:${String(line)}`;
      const needsRedis = code.includes(redisInDocs);
      const isRecipe = page.startsWith("docs/recipes/");
      return {
        name,
        runs: mark === undefined,
        needsRedis,
        isRecipe,
        path,
        code: "\n".repeat(line - 1) + code,
      };
    });
  }
}

/** What the comments of a program say that it prints. */
export function expectedLines(code: string): string[] {
  return [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, line = ""]) => line.trim());
}
