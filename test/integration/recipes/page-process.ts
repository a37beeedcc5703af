// The program of a recipe as real processes: the text comes from the page, is changed where a test says so, and runs in a
// folder that all processes of the test share, as on one machine.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

import { root, Workshop } from "../../project/docs/doc-blocks.ts";
import { poll } from "../../support/poll.ts";

const alive = new Set<PageProcess>();

/** One running program; `said` and `warned` are the lines that it has written so far. */
export class PageProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #out = "";
  #err = "";

  constructor(program: string, url: string) {
    const { NODE_ENV: _mode, ...env } = process.env;
    const cwd = join(program, "..");
    this.#child = spawn(process.execPath, [program], { cwd, env: { ...env, HOLDFAST_URL: url } });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.#out += text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#err += text));
    this.#ended = once(this.#child, "close");
    alive.add(this);
  }

  get said(): string[] {
    return this.#out.split("\n").filter((line) => line !== "");
  }

  get warned(): string[] {
    return this.#err.split("\n").filter((line) => line !== "");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async says(line: string, times = 1): Promise<void> {
    await poll(() => this.said.filter((one) => one === line).length).toBe(times);
  }

  /** The exit code, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    await this.#ended;
    alive.delete(this);
    return this.#child.exitCode ?? this.#child.signalCode;
  }
}

/** The first program of a page. */
export class Page {
  readonly #workshop: Workshop;
  readonly #code: string;

  constructor(file: string) {
    execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
    this.#workshop = new Workshop();
    const block = this.#workshop.blocks.find(({ name }) => name.startsWith(`docs/recipes/${file}:`));
    if (block === undefined) throw new Error(`no program in ${file}`);
    this.#code = block.code;
  }

  /** Each change is `[what stands in the page, what a test puts in its place]`. */
  start(url: string, changes: readonly (readonly [from: string | RegExp, to: string])[] = []): PageProcess {
    let code = this.#code;
    for (const [from, to] of changes) {
      expect(
        typeof from === "string" ? code.includes(from) : from.test(code),
        `the page has ${String(from)}`,
      ).toBe(true);
      code = code.replace(from, () => to);
    }
    const program = join(this.#workshop.folder, `program-${String(alive.size)}-${String(Date.now())}.mts`);
    writeFileSync(program, code);
    return new PageProcess(program, url);
  }

  /** A file that the programs share. */
  path(name: string): string {
    return join(this.#workshop.folder, name);
  }

  async end(): Promise<void> {
    for (const one of alive) {
      one.signal("SIGKILL");
      await one.ended();
    }
    rmSync(this.#workshop.folder, { recursive: true, force: true });
  }
}
