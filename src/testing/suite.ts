/**
 * How a contract suite is made and run: cases in tables, a factory for new clients, and hooks that cause damage.
 *
 * A suite needs only `test(name, fn)` of a test runner. A case whose hook is missing is not dropped silently: it is
 * named in the output, with the reason. Every name begins with the promises that the case tests.
 */
import type { SuiteHooks, SuiteOptions } from "./options.ts";
import { Fixture } from "./fixture.ts";

/** What a case may need: a hook, or wakes. */
export type Need = keyof SuiteHooks | "pushes";

/** One case of a suite. */
export interface Case {
  readonly name: string;
  readonly needs?: readonly Need[];
  readonly run: (fixture: Fixture) => Promise<void>;
}

/** A case that every backend can run. */
export function proof(name: string, run: (fixture: Fixture) => Promise<void>): Case {
  return { name, run };
}

/** A case that needs a hook, or wakes. */
export function needing(
  needs: readonly Need[],
  name: string,
  run: (fixture: Fixture) => Promise<void>,
): Case {
  return { name, needs, run };
}

/** Registers each case as a test of its own, with a fixture of its own. */
export function register(options: SuiteOptions, cases: readonly Case[]): void {
  for (const { name, needs = [], run } of cases) {
    const missing = needs.filter((need) => !has(options, need)).map(reasonOf);
    const reason = missing.join("; ");
    if (reason === "") options.test(name, () => inFixture(options, run));
    else if (options.skip !== undefined) options.skip(name, reason);
    else options.test(`${name} (skipped: ${reason})`, () => Promise.resolve());
  }
}

async function inFixture(options: SuiteOptions, run: (fixture: Fixture) => Promise<void>): Promise<void> {
  const fixture = new Fixture(options);
  try {
    await run(fixture);
  } finally {
    await fixture.end();
  }
}

function has(options: SuiteOptions, need: Need): boolean {
  return need === "pushes" ? options.pushes : options.hooks?.[need] !== undefined;
}

function reasonOf(need: Need): string {
  return need === "pushes" ? "the backend pushes no wakes" : `the backend brings no hook ${need}()`;
}
