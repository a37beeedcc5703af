/**
 * How a contract suite is made and run: cases in tables, a factory for fresh clients, and hooks that break things.
 *
 * A suite needs nothing of a test runner but `test(name, fn)`. A case whose hook is missing does not vanish: it is
 * named in the output, with the reason. Every name begins with the promises that it proves.
 */
import type { Backend } from "../backends/backend.ts";
import { World } from "./world.ts";

/**
 * Ways to reach behind the protocol, so that loss and damage can be tested. Leave one out only where the backend
 * truly cannot; the cases that need it are then named as skipped.
 */
export interface SuiteHooks {
  /** Removes the lock as if its lease had ended unseen; who waits for it stays in the queue. */
  readonly deleteLock?: (id: string) => Promise<void>;
  /** A client that does not speak our protocol takes the free lock [L11]; `null`: for ever. Answers whether it got it. */
  readonly putForeignLock?: (id: string, token: string, leaseMs: number | null) => Promise<boolean>;
  /** That client gives it back, if the token is still there. */
  readonly removeForeignLock?: (id: string, token: string) => Promise<boolean>;
  /** Puts something under the state's name that is no state [S6]. */
  readonly putGarbage?: (id: string) => Promise<void>;
  /** Forgets everything, receipts and stamps included, as a server does that restarts empty. */
  readonly flush?: () => Promise<void>;
}

export interface SuiteOptions {
  /** Registers one test. Tests of one suite may run in any order, but one after the other. */
  readonly test: (name: string, fn: () => Promise<void>) => unknown;
  /** Tells of a case that cannot run; by default a test that passes, whose name ends with the reason. */
  readonly skip?: (name: string, reason: string) => unknown;
  /** A fresh client of one and the same storage, which may hold whatever earlier tests left there. */
  readonly createBackend: () => Backend | Promise<Backend>;
  /** Does the backend push wakes? Where it does not, waiters ask often. */
  readonly pushes: boolean;
  readonly hooks?: SuiteHooks;
}

/** What a case may need: a hook, or wakes. */
export type Need = keyof SuiteHooks | "pushes";

/** One case of a suite. */
export interface Case {
  readonly name: string;
  readonly needs?: readonly Need[];
  readonly run: (world: World) => Promise<void>;
}

/** A case that every backend can run. */
export function proof(name: string, run: (world: World) => Promise<void>): Case {
  return { name, run };
}

/** A case that needs a hook, or wakes. */
export function needing(needs: readonly Need[], name: string, run: (world: World) => Promise<void>): Case {
  return { name, needs, run };
}

/** Registers each case as a test of its own, with a world of its own. */
export function register(options: SuiteOptions, cases: readonly Case[]): void {
  for (const { name, needs = [], run } of cases) {
    const missing = needs.filter((need) => !has(options, need)).map(reasonOf);
    const reason = missing.join("; ");
    if (reason === "") options.test(name, () => inWorld(options, run));
    else if (options.skip !== undefined) options.skip(name, reason);
    else options.test(`${name} (skipped: ${reason})`, () => Promise.resolve());
  }
}

async function inWorld(options: SuiteOptions, run: (world: World) => Promise<void>): Promise<void> {
  const world = new World(options);
  try {
    await run(world);
  } finally {
    await world.end();
  }
}

function has(options: SuiteOptions, need: Need): boolean {
  return need === "pushes" ? options.pushes : options.hooks?.[need] !== undefined;
}

function reasonOf(need: Need): string {
  return need === "pushes" ? "the backend pushes no wakes" : `the backend brings no hook ${need}()`;
}
