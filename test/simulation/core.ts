// Copies of the library, one for each process of a world and one for its server: each has the timers and the clock of its
// own process. A copy stays for all runs; which event loop it works on is set anew for each.

import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Memory, MemoryTables } from "../../src/backends/memory/tables.ts";
import type { Proofs } from "../../src/backends/retry-proofs.ts";
import type { Executor } from "../../src/backends/rows/executor.ts";
import type * as index from "../../src/index.ts";
import type { TimeSource } from "../../src/time/time-source.ts";
import type * as timers from "../../src/timers.ts";
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
  const { useTimeSource } = (await load("timers.ts")) as typeof timers;
  useTimeSource(timeOf(copy));
  const library = (await load("index.ts")) as Library;
  const parts = Object.assign({}, ...(await Promise.all(partsIn.map(load)))) as Parts;
  return Object.assign(copy, { library, parts });
}

/** The time of a copy is that of its loop, which is looked up at each call. */
function timeOf(copy: { readonly loop: Loop }): TimeSource {
  return {
    now: () => copy.loop.now(),
    wallNow: () => Date.now(),
    later: (ms, fn) => {
      const { loop } = copy;
      const timer = loop.setTimeout(fn, ms);
      return { stop: () => loop.clearTimeout(timer) };
    },
    turn: (fn) => copy.loop.setImmediate(fn),
    keepAlive: () => ({ ref: () => undefined, unref: () => undefined, close: () => undefined }),
  };
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
