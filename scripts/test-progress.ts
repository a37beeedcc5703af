/**
 * A reporter of Vitest that says how far a run of many files is: once for each tenth of them, with the time that has passed.
 * The reporter beside it prints the files.
 */
import type { Reporter } from "vitest/node";

/** A run of fewer files is over soon. */
const manyFiles = 40;

export class TestProgress implements Reporter {
  #files = 0;
  #ended = 0;
  #tenths = 0;
  #begunAt = 0;

  onTestRunStart(files: readonly unknown[]): void {
    this.#files = files.length;
    this.#ended = this.#tenths = 0;
    this.#begunAt = performance.now();
    if (this.#files >= manyFiles)
      console.log(`${String(this.#files)} files; all of npm test takes 4 to 6 minutes on two cores.`);
  }

  onTestModuleEnd(): void {
    this.#ended += 1;
    const tenths = Math.floor((10 * this.#ended) / this.#files);
    if (this.#files < manyFiles || tenths === this.#tenths || tenths === 10) return;
    this.#tenths = tenths;
    const passedMs = performance.now() - this.#begunAt;
    // No guess of the time that is left: the first files take longest.
    console.log(`── ${String(this.#ended)} of ${String(this.#files)} files, after ${inWords(passedMs)} ──`);
  }
}

function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60
    ? `${String(seconds)} s`
    : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
}
