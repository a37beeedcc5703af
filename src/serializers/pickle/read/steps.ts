/** What the instructions of a pickle do, as lists that `read-pickle.ts` makes one table of. */
import type { Machine } from "./machine.ts";

/** Carries out one instruction; its arguments are the next bytes of the machine's source. */
export type Step = (machine: Machine) => void;

/** Steps by their opcodes. */
export type Steps = readonly (readonly [code: number, step: Step])[];

export function listOf(...steps: Steps): Steps {
  return steps;
}
