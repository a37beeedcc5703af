/** The worker processes of one contender, and how they are told what to do. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Contender } from "./contenders.ts";
import type { Closed } from "./tasks/loop.ts";
import type { Report, Request } from "./worker.ts";

interface Answer {
  readonly result: unknown;
  readonly stray: Record<string, number>;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly closed?: ((closed: Closed) => void) | undefined;
}

const script = new URL("worker.ts", import.meta.url);

export class Team {
  readonly contender: Contender;
  readonly #workers: readonly Worker[];
  /** Rejections that nobody handled, by message. */
  stray: Record<string, number> = {};
  /** Its code has run before, so that the engine has optimized the better part of it. */
  isWarm = false;

  private constructor(contender: Contender, workers: readonly Worker[]) {
    this.contender = contender;
    this.#workers = workers;
  }

  static async start(contender: Contender, url: string, size: number): Promise<Team> {
    const starting = Array.from({ length: size }, () => Worker.start(contender.name, url));
    return new Team(contender, await Promise.all(starting));
  }

  get size(): number {
    return this.#workers.length;
  }

  /** The result of a task of one worker. */
  async call<T>(worker: number, task: string, args: object, closed?: (closed: Closed) => void): Promise<T> {
    const one = this.#workers[worker];
    if (one === undefined) throw new Error(`there is no worker ${worker}`);
    const { result, stray } = await one.call(task, args, closed);
    for (const [message, count] of Object.entries(stray))
      this.stray[message] = (this.stray[message] ?? 0) + count;
    return result as T;
  }

  /** At once: a worker whose callers wait for ever cannot end in good order. */
  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }
}

class Worker {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (report: Report) => this.#heard(report));
    child.on("exit", (code, signal) => {
      for (const { reject } of this.#pending.values())
        reject(new Error(`a worker ended: ${String(signal ?? code)}`));
      this.#pending.clear();
    });
  }

  static async start(name: string, url: string): Promise<Worker> {
    const child = fork(script, [name, url], {
      serialization: "advanced",
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const worker = new Worker(child);
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`a worker of ${name} did not start: it ended with ${String(code)}`);
    });
    await Promise.race([once(child, "message"), ended]);
    ended.catch(() => undefined);
    return worker;
  }

  call(task: string, args: object, closed: Pending["closed"]): Promise<Answer> {
    const n = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#pending.set(n, { resolve, reject, closed });
      this.#child.send({ n, task, args } satisfies Request);
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #heard(report: Report): void {
    if (report.kind === "ready") return;
    const pending = this.#pending.get(report.n);
    if (report.kind === "closed") {
      pending?.closed?.(report.closed);
      return;
    }
    this.#pending.delete(report.n);
    if (report.kind === "failed") pending?.reject(new Error(`in a worker: ${report.message}`));
    else pending?.resolve({ result: report.result, stray: report.stray });
  }
}

/** Teams that stay from one configuration to the next, so that their code is warm. */
export class Teams {
  readonly #url: (contender: Contender) => string;
  readonly #teams = new Map<string, Team>();

  constructor(url: string | ((contender: Contender) => string)) {
    this.#url = typeof url === "string" ? () => url : url;
  }

  async get(contender: Contender, size: number): Promise<Team> {
    const name = `${contender.name} × ${size}`;
    const team = this.#teams.get(name) ?? (await Team.start(contender, this.#url(contender), size));
    this.#teams.set(name, team);
    return team;
  }

  /** The next `get` starts a new one. */
  async drop(team: Team): Promise<void> {
    for (const [name, one] of this.#teams) if (one === team) this.#teams.delete(name);
    await team.kill();
  }

  async end(): Promise<void> {
    await Promise.all([...this.#teams.values()].map((team) => team.kill()));
    this.#teams.clear();
  }
}
