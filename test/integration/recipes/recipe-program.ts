// What a recipe exports, in real processes: the program of its page up to where the page tries it out, followed by what a
// test wants done. Each process tells what happens in JSON lines on stdout.

import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root, Workshop } from "../../project/docs/doc-blocks.ts";
import { Worker } from "../../support/workers.ts";

const tell = "const tell = (line: object) => void process.stdout.write(`${JSON.stringify(line)}\\n`);";

export class RecipeProgram {
  readonly #workshop: Workshop;
  readonly #path: string;

  /** `rest`: stands for what follows in the page. */
  constructor(file: string, rest: string) {
    execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
    this.#workshop = new Workshop();
    const page = this.#workshop.blocks.find(({ name }) => name.startsWith(`docs/recipes/${file}:`));
    const [recipe = "", example] = page?.code.split("\n// What follows tries it out") ?? [];
    if (example === undefined) throw new Error(`${file} does not say where it tries its program out`);
    this.#path = join(this.#workshop.folder, "recipe.mts");
    writeFileSync(this.#path, `${recipe}\n${tell}\n${rest}`);
  }

  start(url: string, env: Readonly<Record<string, string>> = {}): Worker {
    return new Worker(url, "recipe", { HOLDFAST_URL: url, ...env }, this.#path);
  }

  end(): void {
    rmSync(this.#workshop.folder, { recursive: true, force: true });
  }
}
