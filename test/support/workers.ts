// The other end of worker.ts: starts real processes, tells them what to do, stops and kills them.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import type { Order } from "./worker.ts";

const script = join(import.meta.dirname, "worker.ts");
const alive = new Set<Worker>();
process.once("exit", () => {
  for (const worker of alive) worker.signal("SIGKILL");
});

/** What an order was answered with, if not with a value. */
export class WorkerError extends Error {
  readonly code: string | undefined;
  readonly outcome: string | undefined;

  constructor(error: { code?: string; outcome?: string; message: string }) {
    super(error.message);
    this.code = error.code;
    this.outcome = error.outcome;
  }
}

interface Answer {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class Worker {
  readonly pid: number;
  /** Everything it told that was no answer, in order. */
  readonly told: Record<string, unknown>[] = [];
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  errors = "";
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, Answer>();
  readonly #listeners = new Set<() => void>();
  #orders = 0;

  /**
   * `life`: one of the short lives of worker.ts (or of another program), instead of taking orders; `env`: more variables of
   * its environment.
   */
  constructor(url: string, life?: string, env?: Readonly<Record<string, string>>, program = script) {
    const args = ["--disable-warning=ExperimentalWarning", program, url];
    if (life !== undefined) args.push(life);
    const child = spawn(process.execPath, args, { stdio: "pipe", env: { ...process.env, ...env } });
    this.#child = child;
    this.pid = child.pid ?? 0;
    alive.add(this);
    this.#listen();
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (this.errors += chunk));
    child.stdin.on("error", () => {}); // it was killed
    if (life !== undefined) child.stdin.end();
    this.ended = once(child, "close").then(([code, signal]) => {
      alive.delete(this);
      for (const { reject } of this.#answers.values()) reject(new Error(`ended: ${this.errors}`));
      this.#changed();
      return (code as number | null) ?? (signal as string);
    });
  }

  get isAlive(): boolean {
    return alive.has(this);
  }

  order<T = unknown>(op: Order["op"], details: object = {}): Promise<T> {
    const n = (this.#orders += 1);
    const answer = new Promise<T>((resolve, reject) => {
      this.#answers.set(n, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ n, op, ...details })}\n`);
    });
    answer.catch(() => undefined); // a worker may be killed, at the end of a test, in the middle of what it was told to do
    return answer;
  }

  /** Resolves as soon as what it told satisfies this. */
  async until(satisfied: (told: readonly Record<string, unknown>[]) => boolean): Promise<void> {
    while (!satisfied(this.told)) {
      if (!this.isAlive) throw new Error(`it has ended: ${this.errors}`);
      await new Promise<void>((resolve) => this.#listeners.add(resolve));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  #listen(): void {
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line) as Record<string, unknown>);
      this.#changed();
    });
  }

  #hear(line: Record<string, unknown>): void {
    const n = Number(line["n"]);
    const answer = this.#answers.get(n);
    this.#answers.delete(n);
    if (answer === undefined) this.told.push(line);
    else if ("error" in line) answer.reject(new WorkerError(line["error"] as { message: string }));
    else answer.resolve(line["ok"] as never);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/** Kills whatever a test left running. */
export async function killAll(): Promise<void> {
  await Promise.all([...alive].map((worker) => worker.kill()));
}
