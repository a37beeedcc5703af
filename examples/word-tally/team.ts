/**
 * Starts the worker processes, kills one of them half-way, and notes what happens. It distributes no work: the workers
 * agree through the store on who counts what.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Job, News } from "./worker.ts";

export interface Takeover {
  readonly chunk: number;
  readonly from: number;
  readonly by: number;
  /** From the kill of one worker to the claim of the other. */
  readonly afterMs: number;
}

interface Claim {
  readonly worker: number;
  readonly chunk: number;
  /** Since the work began, like all times here. */
  readonly atMs: number;
}

export interface Kill extends Claim {
  readonly pid: number | undefined;
}

/** Shows the run to the user. */
export interface Audience {
  recorded(chunks: number): void;
  killed(kill: Kill): void;
  takenOver(takeover: Takeover): void;
}

export class Team {
  readonly takeovers: Takeover[] = [];
  /** Chunk → when it was recorded, in milliseconds since the work began. */
  readonly recordedMs = new Map<number, number>();
  readonly size: number;
  readonly #job: Omit<Job, "worker">;
  readonly #audience: Audience;
  readonly #storeName: string;
  readonly #crew: ChildProcess[] = [];
  readonly #claims: Claim[] = [];
  #ready = 0;
  #beganAt = 0;
  /** The kill, once it has happened. */
  kill: Kill | undefined;

  constructor(job: Omit<Job, "worker">, how: { readonly audience: Audience; readonly storeName: string }) {
    this.size = job.workers;
    this.#job = job;
    this.#audience = how.audience;
    this.#storeName = how.storeName;
  }

  /** Resolves when every worker has finished; rejects if one ends unexpectedly. */
  async work(): Promise<void> {
    const numbers = Array.from({ length: this.size }, (_, index) => index + 1);
    await Promise.all(numbers.map((worker) => this.#employ(worker)));
  }

  /** Ends the workers that are still running: they release their locks. Those that do not exit are killed. */
  async dismiss(): Promise<void> {
    const present = this.#crew.filter((child) => child.exitCode === null && child.signalCode === null);
    const ends = present.map((child) => once(child, "exit"));
    for (const child of present) if (child.connected) child.disconnect();
    const timer = setTimeout(() => present.forEach((child) => child.kill("SIGKILL")), 3_000);
    await Promise.all(ends);
    clearTimeout(timer);
  }

  async #employ(worker: number): Promise<void> {
    // The store without a target says on stderr where it is; once is enough. A name is a URL without the password.
    const env = process.env["HOLDFAST_URL"] ? process.env : { ...process.env, HOLDFAST_URL: this.#storeName };
    const child = fork(join(import.meta.dirname, "worker.ts"), [], { env });
    this.#crew[worker - 1] = child;
    child.on("message", (news: News) => this.#hear(worker, news));
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    if (code === 0 || worker === this.kill?.worker) return;
    throw new Error(`Worker ${worker} has ended unexpectedly (${signal ?? `exit code ${String(code)}`}).`);
  }

  #hear(worker: number, news: News): void {
    if (news.kind === "ready") return this.#begin();
    if (news.kind === "claimed" && this.#isHalfWay(worker, news.chunk)) return; // the killed worker needs no answer
    if (news.kind === "recorded") this.#note(worker, news.chunk);
    this.#answer(worker, "go on");
  }

  /** All workers begin together, when the last one is ready. */
  #begin(): void {
    this.#ready += 1;
    if (this.#ready < this.size) return;
    this.#beganAt = performance.now();
    for (const index of this.#crew.keys()) this.#answer(index + 1, { ...this.#job, worker: index + 1 });
  }

  /** Kills the worker that makes the middle claim. It waits for an answer, so it certainly has its chunk locked. */
  #isHalfWay(worker: number, chunk: number): boolean {
    const atMs = performance.now() - this.#beganAt;
    this.#claims.push({ worker, chunk, atMs });
    const middle = Math.ceil(this.#job.chunks.length / 2);
    if (this.size === 1 || this.#claims.length !== middle) return false; // no other worker could take over
    const child = this.#crew[worker - 1];
    child?.kill("SIGKILL");
    this.kill = { worker, pid: child?.pid, chunk, atMs };
    this.#audience.killed(this.kill);
    return true;
  }

  #note(worker: number, chunk: number): void {
    this.recordedMs.set(chunk, performance.now() - this.#beganAt);
    const claims = this.#claims.filter((claim) => claim.chunk === chunk);
    const own = claims.findLast((claim) => claim.worker === worker);
    const others = claims.findLast((claim) => claim.worker !== worker); // it never recorded its claim
    if (own !== undefined && others !== undefined) {
      const since = others.worker === this.kill?.worker ? this.kill.atMs : others.atMs;
      const takeover = { chunk, from: others.worker, by: worker, afterMs: own.atMs - since };
      this.takeovers.push(takeover);
      this.#audience.takenOver(takeover);
    }
    this.#audience.recorded(this.recordedMs.size);
  }

  #answer(worker: number, message: "go on" | Job): void {
    // It may be gone by now; if so, #employ notices how it ended.
    this.#crew[worker - 1]?.send(message, () => undefined);
  }
}
