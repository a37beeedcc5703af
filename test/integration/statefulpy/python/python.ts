// A Python process with the real protocol (protocol.py), and a Node process beside it (node-program.ts): both take orders
// one JSON line at a time.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { pythonWithRedis } from "../../../support/programs/python.ts";

export const python = await pythonWithRedis();
/** For the names of tests. */
export const needs = python === undefined ? "skipped: no python3 with redis-py (Debian: python3-redis)" : "";

interface Answer {
  readonly n: number;
  readonly ok?: unknown;
  readonly error?: string;
}

export class Program {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #last = 0;
  #errors = "";

  constructor(command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: "pipe" });
    this.#child = child;
    child.stderr.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    child.stdin.on("error", () => {}); // it was killed
    createInterface({ input: child.stdout }).on("line", (line) => this.#answered(JSON.parse(line) as Answer));
    child.once("close", () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the program ended: ${this.#errors}`));
    });
  }

  static python(url: string, serializer: string, lockMs = 30_000): Program {
    return new Program(python!, [join(import.meta.dirname, "protocol.py"), url, serializer, String(lockMs)]);
  }

  static node(url: string, serializer: string, lockMs = 30_000): Program {
    const script = join(import.meta.dirname, "node-program.ts");
    return new Program(process.execPath, [
      "--disable-warning=ExperimentalWarning",
      script,
      url,
      serializer,
      String(lockMs),
    ]);
  }

  call<T = unknown>(op: string, ...args: readonly unknown[]): Promise<T> {
    const n = (this.#last += 1);
    const answer = new Promise<T>((resolve, reject) => this.#waiting.set(n, { resolve, reject }));
    answer.catch(() => undefined);
    this.#child.stdin?.write(`${JSON.stringify({ n, op, args })}\n`);
    return answer;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
  }

  #answered({ n, ok, error }: Answer): void {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    if (error === undefined) waiting?.resolve(ok as never);
    else waiting?.reject(new Error(error));
  }
}
