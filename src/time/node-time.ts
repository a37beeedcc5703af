/**
 * Node's own timers and clocks, even if a test has replaced them before this file is loaded.
 *
 * They are taken once. A test that replaces the global ones later changes nothing here. If they are replaced already
 * (Vitest, Jest and Sinon mark theirs, node:test binds its own), the ones of `node:timers` are taken, and if those are
 * replaced as well, others that no library replaces: a socket's idle timer, a message channel, the uptime of the process,
 * the `Date` of a new realm. Those are slower, and so they are made only then.
 */
import { performance } from "node:perf_hooks";
import * as timers from "node:timers";

import type { KeepsAlive, Stoppable, TimeSource } from "./time-source.ts";

/** A `setInterval` that never comes due in practice: Node's longest. */
const foreverMs = 2 ** 31 - 1;

function isReplaced(fn: unknown): boolean {
  if (typeof fn !== "function") return true;
  return "clock" in fn || "_isMockFunction" in fn || fn.name.startsWith("bound ");
}

/** The global function, or that of `node:timers`; `undefined` if both are replaced. */
function own<Name extends "setTimeout" | "clearTimeout" | "setInterval" | "clearInterval" | "setImmediate">(
  name: Name,
): (typeof timers)[Name] | undefined {
  return [globalThis[name] as (typeof timers)[Name], timers[name]].find((fn) => !isReplaced(fn));
}

const [setTimer, clearTimer] = [own("setTimeout"), own("clearTimeout")];
const [setRepeated, clearRepeated] = [own("setInterval"), own("clearInterval")];
const setTurn = own("setImmediate");

function later(ms: number, fn: () => void): Stoppable {
  if (setTimer === undefined || clearTimer === undefined) return laterBySocket(ms, fn);
  const timer = setTimer(fn, ms).unref();
  return { stop: () => clearTimer(timer) };
}

/**
 * An unconnected socket has nothing open: only its idle timer runs, which does not keep the process alive. It is left to
 * run when it is stopped, since Node would call the replaced `clearTimeout`.
 */
function laterBySocket(ms: number, fn: () => void): Stoppable {
  const { Socket } = process.getBuiltinModule("node:net");
  const socket = new Socket();
  socket.setTimeout(Math.max(ms, 1), fn);
  return { stop: () => void socket.off("timeout", fn) };
}

let messages: (() => void)[] = [];

/** A message is delivered in a later turn of the event loop. One channel serves all that wait for the same turn. */
function turnByMessage(fn: () => void): void {
  if (messages.push(fn) > 1) return;
  const { MessageChannel } = process.getBuiltinModule("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  port1.once("message", () => {
    port1.close();
    const due = messages;
    messages = [];
    for (const one of due) one();
  });
  port2.postMessage(null);
}

function keepAlive(): KeepsAlive {
  if (setRepeated === undefined || clearRepeated === undefined) return keepAliveByPort();
  const timer = setRepeated(() => undefined, foreverMs).unref();
  return { ref: () => void timer.ref(), unref: () => void timer.unref(), close: () => clearRepeated(timer) };
}

function keepAliveByPort(): KeepsAlive {
  const { MessageChannel } = process.getBuiltinModule("node:worker_threads");
  const { port1 } = new MessageChannel();
  return { ref: () => port1.ref(), unref: () => port1.unref(), close: () => port1.close() };
}

const readClock = performance.now.bind(performance);
const isClockReplaced = readClock.name !== "bound now";

/** A `Date.now` that is written in JavaScript is a replacement. */
const isDateReplaced = !Function.prototype.toString.call(Date.now).includes("[native code]");

/** A constant, so that the engine can call the clock directly: a call has many looks at it. */
export const nodeNow: () => number = isClockReplaced ? () => process.uptime() * 1_000 : readClock;

export const nodeTime: TimeSource = {
  now: nodeNow,
  wallNow: isDateReplaced ? dateOfNewRealm() : Date.now.bind(Date),
  later,
  turn: setTurn === undefined ? turnByMessage : (fn) => void setTurn(fn),
  keepAlive,
};

function dateOfNewRealm(): () => number {
  return process.getBuiltinModule("node:vm").runInNewContext("Date.now") as () => number;
}

/** Calls `fn` once the code that is running now has returned, before anything else. */
export const soon: (fn: () => void) => void = isReplaced(queueMicrotask)
  ? (fn) => void Promise.resolve().then(fn)
  : queueMicrotask;

const { nextTick: tick } = process as { readonly nextTick: (this: void, fn: () => void) => void };

/** Calls `fn` before the event loop goes on. */
export const nextTick: (fn: () => void) => void = isReplaced(tick) ? soon : tick;

/** The global function as it was when the library was loaded, for code of others that looks it up. */
export const globalImmediate: typeof globalThis.setImmediate | undefined = isReplaced(globalThis.setImmediate)
  ? setTurn
  : globalThis.setImmediate;
