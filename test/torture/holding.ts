// One stay in a lock, recorded: when it was asked for, when its caller got it, when it let go or its signal aborted, and what
// its release was answered.

import type { Grant } from "../../src/index.ts";
import type { Recorder } from "./recorder.ts";

/** What is held, if not a lock alone. */
export interface How {
  /** It is an update's function that holds; several in a row may have one fence. */
  readonly draft?: true;
  /** Others may share it. */
  readonly shared?: true;
  /** So many permits of a semaphore that has `limit`. */
  readonly weight?: number;
  readonly limit?: number;
}

export class Holding {
  readonly #recorder: Recorder;
  readonly #caller: number;
  readonly #leaseMs: number;
  readonly #asked: number;
  #number: number | undefined;
  #left = false;

  /** `asked`: when its caller asked; now, if not said. A function that is called again asked when it was first given. */
  constructor(recorder: Recorder, of: { caller: number; leaseMs: number; asked?: number | undefined }) {
    this.#recorder = recorder;
    this.#caller = of.caller;
    this.#leaseMs = of.leaseMs;
    this.#asked = of.asked ?? recorder.now();
  }

  /** `undefined` before it was granted. */
  get number(): number | undefined {
    return this.#number;
  }

  got({ id, fence, signal }: Pick<Grant, "id" | "fence" | "signal">, how: How = {}): void {
    const h = (this.#number = this.#recorder.next());
    this.#recorder.write("held", {
      h,
      caller: this.#caller,
      id,
      fence,
      asked: this.#asked,
      leaseMs: this.#leaseMs,
      ...how,
    });
    if (signal.aborted) this.#let("abort");
    else signal.addEventListener("abort", () => this.#let("abort"));
  }

  /** About to release. */
  leave(): void {
    this.#let("release");
  }

  /** Waits for the whole stay, and records what became of it. `undefined` from `stay`: all went well. */
  async settle(stay: () => Promise<boolean | undefined | void>): Promise<void> {
    let answer: boolean | "unknown";
    try {
      answer = (await stay()) ?? true;
    } catch (error) {
      answer = this.#recorder.outcomeOf(error).outcome === "unknown" ? "unknown" : false;
    }
    if (this.#number === undefined) return;
    this.#let("release"); // an error may have left it open
    this.#recorder.write("released", { h: this.#number, answer });
  }

  /** What is done in passing may fail as anything may: only what must never be is recorded. */
  async tolerate(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#recorder.outcomeOf(error);
    }
  }

  #let(how: "release" | "abort"): void {
    if (this.#left || this.#number === undefined) return;
    this.#left = true;
    this.#recorder.write("left", { h: this.#number, how });
  }
}
