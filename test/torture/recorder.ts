// Writes a process's part of the history, each line before what it tells of goes on: a process that is killed has said all
// that it began. Format: history.ts. Where lines go, and what time it is, is up to the log: a file here, an array in the
// simulation.

import { openSync, writeSync } from "node:fs";

import type { HoldfastError } from "../../src/index.ts";
import type { Line, Outcome } from "./checker/history.ts";

/** Thrown by draft functions on purpose. */
export class Deliberate extends Error {}

/** What a call can add to its end. */
export interface Answer {
  revision?: number | undefined;
  fence?: number | undefined;
  count?: number | undefined;
  length?: number | undefined;
  digest?: string | undefined;
  torn?: string | undefined;
  /** The result of a once, or what the leader proclaims; `null`: there is none. */
  value?: string | null | undefined;
}

export interface Begin {
  readonly caller: number;
  readonly op: string;
  readonly id: string;
  readonly hold?: number | undefined;
  readonly ifRevision?: number | "absent" | undefined;
  /** What a leader proclaims from now on. */
  readonly proclaims?: string | undefined;
}

/** Codes that nothing in this check can bring about. */
const impossible = new Set([
  "INVALID_ARGUMENT",
  "CORRUPT_STATE",
  "SERIALIZATION",
  "ACCESS_DENIED",
  "OUT_OF_MEMORY",
]);

/** Where the lines of a history go. */
export interface Log {
  /** Nanoseconds since the run began. */
  now(): number;
  add(line: Line): void;
}

/** A file that several processes' logs are merged with afterwards. */
export function fileLog(path: string, epoch: bigint): Log {
  const file = openSync(path, "a");
  return {
    now: () => Number(process.hrtime.bigint() - epoch),
    add: (line) => void writeSync(file, `${JSON.stringify(line)}\n`),
  };
}

export class Recorder {
  readonly #log: Log;
  readonly #life: string | undefined;
  readonly #possible: ReadonlySet<string>;
  #numbers = 0;

  /** `possible`: codes that something in this run can bring about, though usually nothing can. */
  constructor(log: Log, life?: string, possible: ReadonlySet<string> = new Set()) {
    this.#log = log;
    this.#life = life;
    this.#possible = possible;
  }

  /** Nanoseconds since the run began. */
  now(): number {
    return this.#log.now();
  }

  write(ev: string, fields: object = {}): void {
    const own = this.#life === undefined ? {} : { life: this.#life };
    this.#log.add({ ev, at: this.now(), ...own, ...fields });
  }

  wrong(what: string): void {
    this.write("wrong", { what });
  }

  next(): number {
    return (this.#numbers += 1);
  }

  /** A text that nobody else makes in this run. */
  unique(): string {
    return `${this.#life ?? "main"}:${this.next()}`;
  }

  /** A call that appends: `work` is given the id to add. Answers whether it was acknowledged. */
  append(begin: Begin, work: (add: string) => Promise<Answer>): Promise<Outcome> {
    const n = this.next();
    const add = `${this.#life ?? "main"}:${n}`;
    return this.#call(n, { ...begin, add }, () => work(add));
  }

  call(begin: Begin, work: () => Promise<Answer>): Promise<Outcome> {
    return this.#call(this.next(), begin, work);
  }

  async #call(n: number, begin: object, work: () => Promise<Answer>): Promise<Outcome> {
    this.write("begin", { n, ...begin });
    try {
      const answer = await work();
      this.write("end", { n, outcome: "ok", ...answer });
      return "ok";
    } catch (error) {
      const told = this.outcomeOf(error);
      this.write("end", { n, ...told });
      return told.outcome;
    }
  }

  /** What a call that threw says of itself. */
  outcomeOf(error: unknown): { outcome: Outcome; code: string } {
    const { code, outcome } = error as Partial<HoldfastError>;
    if (error instanceof Deliberate) return { outcome: "failed", code: "DELIBERATE" };
    const isImpossible = impossible.has(String(code)) && !this.#possible.has(String(code));
    if (typeof code !== "string" || outcome === undefined || isImpossible) {
      this.wrong(
        `unexpected error: ${error instanceof Error ? (error.stack ?? String(error)) : String(error)}`,
      );
      return { outcome: "unknown", code: String(code) };
    }
    return { outcome: outcome === "unknown" ? "unknown" : "failed", code };
  }
}
