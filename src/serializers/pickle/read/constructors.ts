/**
 * The closed list of what a pickle may ask for by name, and what each of them makes of its arguments.
 *
 * They are functions of this file. No name of a pickle is ever looked up anywhere else: what is not listed is refused,
 * with the name that was asked for.
 */
import { opcode } from "../opcodes.ts";
import { PyByteArray, PyTuple } from "../python/collections.ts";
import { latin1 } from "../utf8.ts";
import { pushFrozenSet, pushSet } from "./containers.ts";
import { makeDate, makeDateTime, makeTime, makeTimeDelta, makeTimeZone } from "./date-constructors.ts";
import type { Machine } from "./machine.ts";
import { listOf, type Steps } from "./steps.ts";

/** Pushes what it makes; false: these are not arguments that Python's own pickler would have written. */
export type Constructor = (machine: Machine, args: readonly unknown[]) => boolean;

/** A name of the list, between the instruction that asks for it and the one that calls it. */
export class Named {
  readonly name: string;
  readonly at: number;
  readonly call: Constructor;

  constructor(name: string, at: number, call: Constructor) {
    this.name = name;
    this.at = at;
    this.call = call;
  }
}

const builtins: readonly (readonly [string, Constructor])[] = [
  ["set", (machine, args) => fromList(machine, args, pushSet)],
  ["frozenset", (machine, args) => fromList(machine, args, pushFrozenSet)],
  ["bytearray", makeByteArray],
  ["bytes", makeNoBytes],
];

const constructors: ReadonlyMap<string, Constructor> = new Map<string, Constructor>([
  ...builtins.map(([name, make]) => [`builtins.${name}`, make] as const),
  ...builtins.map(([name, make]) => [`__builtin__.${name}`, make] as const),
  ["_codecs.encode", encode],
  ["datetime.date", makeDate],
  ["datetime.time", makeTime],
  ["datetime.datetime", makeDateTime],
  ["datetime.timedelta", makeTimeDelta],
  ["datetime.timezone", makeTimeZone],
]);

export const constructorSteps: Steps = listOf(
  [opcode.GLOBAL, (m) => find(m, latin1(m.source.line()), latin1(m.source.line()))],
  [opcode.STACK_GLOBAL, findOnStack],
  [opcode.REDUCE, reduce],
);

/** A name for a message: short, and with everything escaped that a terminal might obey. */
export function shownName(name: string): string {
  const quoted = JSON.stringify(name.slice(0, shownLength));
  const escaped = quoted.slice(1, -1).replaceAll(/[^\x20-\x7e]/g, escapeOf);
  const isWhole = name.length <= shownLength && escaped.length <= shownLength;
  return `"${escaped.slice(0, shownLength)}${isWhole ? "" : "…"}"`;
}

const shownLength = 100;

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function find(machine: Machine, module: string, name: string): void {
  const full = `${module}.${name}`;
  const constructor = constructors.get(full);
  if (constructor === undefined)
    machine.fail(`asks for ${shownName(full)}, which is not plain data and was not run,`);
  machine.push(new Named(full, machine.at, constructor));
}

function findOnStack(machine: Machine): void {
  const [module, name] = machine.popSome(2);
  if (typeof module !== "string" || typeof name !== "string")
    machine.fail("asks for a name that is not text");
  find(machine, module, name);
}

function reduce(machine: Machine): void {
  const [named, args] = machine.popSome(2);
  if (!(named instanceof Named)) machine.fail("calls a value, which is not plain data and was not run,");
  if (!(args instanceof PyTuple) || !named.call(machine, args.items)) {
    machine.fail(`calls ${shownName(named.name)} with arguments that make no plain data, and was not run,`);
  }
}

/** Without arguments, or with one list. */
function fromList(
  machine: Machine,
  args: readonly unknown[],
  push: (machine: Machine, members: readonly unknown[]) => void,
): boolean {
  const [list = []] = args;
  if (args.length > 1 || !Array.isArray(list)) return false;
  machine.countItems(list.length); // one list may be named again and again
  push(machine, list);
  return true;
}

/** `bytearray()`, `bytearray(b"…")`, or `bytearray("…", "latin-1")` of Python 2 and of Python 3 before 3.8. */
function makeByteArray(machine: Machine, args: readonly unknown[]): boolean {
  const [first = new Uint8Array(0)] = args;
  const bytes = args.length === 2 ? latin1Bytes(machine, args) : first;
  if (!(bytes instanceof Uint8Array) || args.length > 2) return false;
  machine.countCopied(bytes.length);
  machine.pushContainer(new PyByteArray(new Uint8Array(bytes)));
  return true;
}

/** How protocols 0 to 2 write empty bytes. */
function makeNoBytes(machine: Machine, args: readonly unknown[]): boolean {
  if (args.length > 0) return false;
  machine.pushContainer(new Uint8Array(0));
  return true;
}

/** How protocols 0 to 2 write bytes: as text with one character for each byte. */
function encode(machine: Machine, args: readonly unknown[]): boolean {
  const bytes = latin1Bytes(machine, args);
  if (bytes === undefined) return false;
  machine.pushContainer(bytes);
  return true;
}

function latin1Bytes(machine: Machine, args: readonly unknown[]): Uint8Array | undefined {
  const [text, encoding] = args;
  if (args.length !== 2 || typeof text !== "string") return undefined;
  if (encoding !== "latin1" && encoding !== "latin-1") return undefined;
  machine.countCopied(text.length);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return undefined;
    bytes[index] = code;
  }
  return bytes;
}
