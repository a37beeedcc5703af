/**
 * The instructions that run code, ask somebody else for a value, or fill an instance of a class. Each is refused, with the
 * name that was asked for.
 */
import { opcode } from "../opcodes.ts";
import { latin1 } from "../utf8.ts";
import { Named, shownName } from "./constructors.ts";
import type { Machine } from "./machine.ts";
import { listOf, type Steps } from "./steps.ts";

export const refusedSteps: Steps = listOf(
  [opcode.INST, (m) => refuseClass(m, `${latin1(m.source.line())}.${latin1(m.source.line())}`)],
  [opcode.OBJ, (m) => refuseClass(m, nameOf(m.popMarked()[0]))],
  [opcode.NEWOBJ, (m) => refuseClass(m, nameOf(m.popSome(2)[0]))],
  [opcode.NEWOBJ_EX, (m) => refuseClass(m, nameOf(m.popSome(3)[0]))],
  [opcode.BUILD, (m) => refuseClass(m, nameOf(m.popSome(2)[0]))],
  [opcode.PERSID, (m) => m.fail(`asks for the persistent id ${shownName(latin1(m.source.line()))}`)],
  [opcode.BINPERSID, (m) => m.fail(`asks for the persistent id ${shownName(nameOf(m.pop()))}`)],
  [opcode.EXT1, (m) => refuseExtension(m, m.source.byte())],
  [opcode.EXT2, (m) => refuseExtension(m, m.source.unsigned(2))],
  [opcode.EXT4, (m) => refuseExtension(m, m.source.signed())],
  [opcode.NEXT_BUFFER, (m) => m.fail("asks for a buffer that is not part of it")],
  [opcode.READONLY_BUFFER, (m) => m.fail("makes a buffer read-only, which is not plain data,")],
);

function refuseClass(machine: Machine, name: string): never {
  return machine.fail(`makes an instance of ${shownName(name)}, which is not plain data and was not run,`);
}

function refuseExtension(machine: Machine, code: number): never {
  return machine.fail(`asks for the registered extension ${code}, which is not plain data and was not run,`);
}

/** Only names of the closed list get this far. */
function nameOf(value: unknown): string {
  if (value instanceof Named) return value.name;
  return typeof value === "string" || typeof value === "number" ? String(value) : "a value";
}
