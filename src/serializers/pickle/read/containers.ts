/** The instructions that make lists, tuples, dicts and sets, put values into them, and move values on the stack. */
import { opcode } from "../opcodes.ts";
import { PyFrozenSet, PyTuple } from "../python/collections.ts";
import { latin1 } from "../utf8.ts";
import { DictNode } from "./dict-node.ts";
import type { Machine } from "./machine.ts";
import { listOf, type Steps } from "./steps.ts";

export const containerSteps: Steps = listOf(
  [opcode.MARK, (m) => m.mark()],
  [opcode.POP, (m) => m.drop()],
  [opcode.POP_MARK, (m) => void m.popMarked()],
  [opcode.DUP, (m) => m.pushAgain(m.top())],

  [opcode.EMPTY_LIST, (m) => m.pushContainer([])],
  [opcode.LIST, (m) => m.pushContainer(m.popMarked())],
  [opcode.APPEND, (m) => append(m, m.popSome(1))],
  [opcode.APPENDS, (m) => append(m, m.popMarked())],

  [opcode.EMPTY_TUPLE, (m) => pushTuple(m, [])],
  [opcode.TUPLE1, (m) => pushTuple(m, m.popSome(1))],
  [opcode.TUPLE2, (m) => pushTuple(m, m.popSome(2))],
  [opcode.TUPLE3, (m) => pushTuple(m, m.popSome(3))],
  [opcode.TUPLE, (m) => pushTuple(m, m.popMarked())],

  [opcode.EMPTY_DICT, (m) => void m.pushDict()],
  [opcode.DICT, (m) => pushDict(m, m.popMarked())],
  [opcode.SETITEM, (m) => setItems(m, m.popSome(2))],
  [opcode.SETITEMS, (m) => setItems(m, m.popMarked())],

  [opcode.EMPTY_SET, (m) => m.pushContainer(new Set())],
  [opcode.ADDITEMS, addItems],
  [opcode.FROZENSET, (m) => pushFrozenSet(m, m.popMarked())],

  [opcode.PUT, (m) => m.remember(indexOfLine(m))],
  [opcode.BINPUT, (m) => m.remember(m.source.byte())],
  [opcode.LONG_BINPUT, (m) => m.remember(m.source.unsigned(4))],
  [opcode.MEMOIZE, (m) => m.rememberNext()],
  [opcode.GET, (m) => m.recall(indexOfLine(m))],
  [opcode.BINGET, (m) => m.recall(m.source.byte())],
  [opcode.LONG_BINGET, (m) => m.recall(m.source.unsigned(4))],
);

/** Also used for what REDUCE makes. */
export function pushSet(machine: Machine, members: readonly unknown[]): void {
  const set = new Set<unknown>();
  machine.addAll(set, members);
  machine.pushContainer(set);
}

export function pushFrozenSet(machine: Machine, members: readonly unknown[]): void {
  const set = new Set<unknown>();
  machine.addAll(set, members);
  machine.pushContainer(Object.assign(Object.create(PyFrozenSet.prototype) as object, { members: set }));
}

/** Its items are not frozen yet: `finish.ts` may have to replace some. */
function pushTuple(machine: Machine, items: unknown[]): void {
  machine.pushContainer(Object.assign(Object.create(PyTuple.prototype) as object, { items }));
}

function append(machine: Machine, values: readonly unknown[]): void {
  const list = machine.top();
  if (!Array.isArray(list)) machine.fail("appends to something that is not a list");
  for (const value of values) list.push(value);
}

function pushDict(machine: Machine, entries: readonly unknown[]): void {
  machine.pushDict();
  setItems(machine, entries);
}

function setItems(machine: Machine, entries: readonly unknown[]): void {
  const dict = machine.top();
  if (!(dict instanceof DictNode)) machine.fail("sets an item of something that is not a dict");
  if (entries.length % 2 !== 0) machine.fail("has a key without its value");
  for (let index = 0; index < entries.length; index += 2) {
    if (!dict.set(entries[index], entries[index + 1]))
      machine.fail("has a key of a dict that Python cannot hash");
  }
}

function addItems(machine: Machine): void {
  const members = machine.popMarked();
  const set = machine.top();
  if (!(set instanceof Set)) machine.fail("adds to something that is not a set");
  machine.addAll(set, members);
}

function indexOfLine(machine: Machine): number {
  const line = machine.source.line();
  if (line.length > 0 && line.length <= 10) {
    const text = latin1(line);
    if (/^\d+$/.test(text)) return Number(text);
  }
  return machine.fail("has something else in place of the index of a value");
}
