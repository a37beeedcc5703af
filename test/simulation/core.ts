// Copies of the library, one for each process of a world and one for its server: each takes the timers and the clock of its
// own process when it is loaded. A copy stays for all runs; which event loop it works on is set anew for each.

import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Memory, MemoryTables } from "../../src/backends/memory/tables.ts";
import type { Proofs } from "../../src/backends/retry-proofs.ts";
import type { Executor } from "../../src/backends/rows/executor.ts";
import type * as index from "../../src/index.ts";
import type { Random } from "../torture/random.ts";
import { Loop, Timeline } from "./clock.ts";

type Library = typeof index;

/** What a server is made of, and what a backend in front of it. */
interface Parts {
  readonly Memory: typeof Memory;
  readonly MemoryTables: typeof MemoryTables;
  readonly Executor: typeof Executor;
  readonly Proofs: typeof Proofs;
}

const partsIn = ["backends/memory/tables.ts", "backends/rows/executor.ts", "backends/retry-proofs.ts"];

export interface Copy {
  readonly library: Library;
  readonly parts: Parts;
  /** The loop that it works on from now on. */
  loop: Loop;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  performance: globalThis.performance,
};

/** The whole of a copy is loaded anew: what it imports has the same mark in its address. */
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const mark = /\?copy=\d+$/.exec(context.parentURL ?? "")?.[0];
    const isOurs = mark !== undefined && resolved.url.startsWith("file:");
    return isOurs ? { ...resolved, url: `${resolved.url}${mark}` } : resolved;
  },
});

let copies = 0;

export async function loadCopy(folder: string): Promise<Copy> {
  const mark = `?copy=${(copies += 1)}`;
  const load = (file: string): Promise<unknown> => import(`${pathToFileURL(join(folder, file)).href}${mark}`);
  const copy = { loop: new Loop({ timeline: new Timeline() }) };
  install(copy);
  try {
    const library = (await load("index.ts")) as Library;
    const parts = Object.assign({}, ...(await Promise.all(partsIn.map(load)))) as Parts;
    return Object.assign(copy, { library, parts });
  } finally {
    Object.assign(globalThis, real);
  }
}

/** What a copy finds in place of Node's: it takes them once, so each of them looks for its loop when it is called. */
function install(copy: { readonly loop: Loop }): void {
  const of =
    <A extends unknown[], R>(fn: (loop: Loop) => (...args: A) => R) =>
    (...args: A): R =>
      fn(copy.loop)(...args);
  Object.assign(globalThis, {
    setTimeout: of((loop) => loop.setTimeout),
    clearTimeout: of((loop) => loop.clearTimeout),
    setInterval: of((loop) => loop.setInterval),
    clearInterval: of((loop) => loop.clearTimeout),
    setImmediate: of((loop) => loop.setImmediate),
    performance: { now: of((loop) => loop.now) },
  });
}

/** For the length of a run: what is read at random, or by the wall clock, comes from the seed as well. */
export async function seeded<R>(random: Random, now: () => number, run: () => Promise<R>): Promise<R> {
  const [realRandom, realNow] = [Math.random, Date.now];
  Math.random = () => random.next();
  Date.now = () => Math.floor(now());
  try {
    return await run();
  } finally {
    Math.random = realRandom;
    Date.now = realNow;
  }
}
