// What every fuzz target shares: how it is run, what a call may answer, and what must be true of the process afterwards.
//
// A target is a fast-check property with its own set-up. A failure is shown with its seed and the command that repeats
// it. After each target nothing may have been added to the prototypes that everybody shares, and no rejection may have
// gone unhandled.

import fc from "fast-check";
import { inspect } from "node:util";

import type { ErrorCode } from "../../../src/index.ts";

export interface Target {
  readonly name: string;
  /** Its part of all cases. */
  readonly share: number;
  /** Makes what it needs: a server, a file, nothing. */
  prepare(): Promise<Prepared>;
}

export interface Prepared {
  readonly property: fc.IRawProperty<unknown>;
  end(): Promise<void>;
  /** What it met, so that a run that refuses everything is seen to test nothing. */
  readonly met?: () => Readonly<Record<string, number>>;
}

export interface Run {
  readonly cases: number;
  readonly seed: number;
}

/** A target that needs no set-up. */
export function pure(name: string, share: number, property: fc.IRawProperty<unknown>): Target {
  return { name, share, prepare: async () => ({ property, end: async () => {} }) };
}

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));

/** Throws with the counter-example, the seed, and how to repeat it. */
export async function runTarget(
  target: Target,
  { cases, seed }: Run,
): Promise<Readonly<Record<string, number>>> {
  const before = sharedPrototypes();
  const prepared = await target.prepare();
  try {
    const found = await fc.check(prepared.property, { numRuns: cases, seed });
    if (found.failed) {
      const again = `npm run fuzz -- --only "${target.name}" --cases ${String(cases)} --seed ${String(seed)}`;
      const why = inspect(found.errorInstance);
      throw new Error(`${target.name}: repeat with\n  ${again}\n${fc.defaultReportMessage(found)}\n${why}`);
    }
    await new Promise((resolve) => setImmediate(resolve)); // rejections are told of after their tick
  } finally {
    await prepared.end();
  }
  const changed = sharedPrototypes();
  if (changed !== before) throw new Error(`${target.name}: prototypes changed:\n${before}\n${changed}`);
  const unhandled = rejections.splice(0);
  if (unhandled.length > 0) throw new Error(`${target.name}: unhandled: ${inspect(unhandled)}`);
  return prepared.met?.() ?? {};
}

function sharedPrototypes(): string {
  const shared = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Promise.prototype];
  const names = shared.map((prototype) => Reflect.ownKeys(prototype).map(String).sort());
  return JSON.stringify([names, Object.getPrototypeOf(Object.prototype)]);
}

/** The closed set of codes, once more: a new one must be put here on purpose. */
const codes: Readonly<Record<ErrorCode, true>> = {
  INVALID_ARGUMENT: true,
  LOCK_TIMEOUT: true,
  DEADLOCK: true,
  LOCK_LOST: true,
  CONFLICT: true,
  UNREACHABLE: true,
  ACCESS_DENIED: true,
  READ_ONLY: true,
  OUT_OF_MEMORY: true,
  SERIALIZATION: true,
  CORRUPT_STATE: true,
  SEAL: true,
  VALIDATION: true,
  VERSION: true,
  CLOSED: true,
};

export type Verdict = { readonly value: unknown } | { readonly code: ErrorCode; readonly error: Error };

/** What a call answered: a value, or an error of the closed set. Anything else, and no answer in time, is a failure. */
export async function settle(what: string, call: () => unknown, withinMs = 30_000): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hung for ${String(withinMs)} ms`)), withinMs);
  });
  const answer = (async (): Promise<Verdict> => {
    try {
      return { value: await call() };
    } catch (error) {
      return { code: codeOf(error, what), error: error as Error };
    }
  })();
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** As {@link settle}, of a call that answers at once. */
export function settleNow(what: string, call: () => unknown): Verdict {
  try {
    return { value: call() };
  } catch (error) {
    return { code: codeOf(error, what), error: error as Error };
  }
}

function codeOf(error: unknown, what: string): ErrorCode {
  const { code, outcome } = error as { code?: unknown; outcome?: unknown };
  const isOurs = error instanceof Error && typeof code === "string" && Object.hasOwn(codes, code);
  if (!isOurs || (outcome !== "none" && outcome !== "unknown"))
    throw new Error(`${what} failed with what is no error of ours: ${inspect(error)}`, { cause: error });
  return code as ErrorCode;
}

/** Everything that a person could see of it. */
export const visible = (value: unknown): string => inspect(value, { depth: 8, showHidden: true });
