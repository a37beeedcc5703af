// Writes a process's part of the history, each line before what it tells of goes on: a process that is killed has said all
// that it began. Format: history.ts.

import { openSync, writeSync } from "node:fs";

import type { HoldfastError } from "../../src/index.ts";
import type { Outcome } from "./history.ts";

/** Thrown by draft functions on purpose. */
export class Deliberate extends Error {}

/** What a call can add to its end. */
export interface Answer {
  revision?: number | undefined;
  fence?: number | undefined;
  count?: number | undefined;
  length?: number | undefined;
  digest?: string | undefined;
}

export interface Begin {
  readonly caller: number;
  readonly op: string;
  readonly id: string;
  readonly hold?: number | undefined;
  readonly ifRevision?: number | "absent" | undefined;
}

/** Codes that nothing in this check can bring about. */
const impossible = new Set([
  "INVALID_ARGUMENT",
  "CORRUPT_STATE",
  "SERIALIZATION",
  "ACCESS_DENIED",
  "OUT_OF_MEMORY",
]);

export class Recorder {
  readonly #file: number;
  readonly #life: string | undefined;
  readonly #epoch: bigint;
  #numbers = 0;

  constructor(path: string, epoch: bigint, life?: string) {
    this.#file = openSync(path, "a");
    this.#epoch = epoch;
    this.#life = life;
  }

  /** Nanoseconds since the run began. */
  now(): number {
    return Number(process.hrtime.bigint() - this.#epoch);
  }

  write(ev: string, fields: object = {}): void {
    const own = this.#life === undefined ? {} : { life: this.#life };
    writeSync(this.#file, `${JSON.stringify({ ev, at: this.now(), ...own, ...fields })}\n`);
  }

  wrong(what: string): void {
    this.write("wrong", { what });
  }

  next(): number {
    return (this.#numbers += 1);
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
    if (typeof code !== "string" || outcome === undefined || impossible.has(code)) {
      this.wrong(
        `unexpected error: ${error instanceof Error ? (error.stack ?? String(error)) : String(error)}`,
      );
      return { outcome: "unknown", code: String(code) };
    }
    return { outcome: outcome === "unknown" ? "unknown" : "failed", code };
  }
}
