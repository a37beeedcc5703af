/**
 * Reads a pickle: one instruction after the other, by a table. An instruction that is not in the table is refused, like
 * those of `refused.ts`.
 */
import { CorruptStateError } from "../../../errors.ts";
import { opcode } from "../opcodes.ts";
import { constructorSteps } from "./constructors.ts";
import { containerSteps } from "./containers.ts";
import { finish } from "./finish.ts";
import { Machine, type ReadSettings } from "./machine.ts";
import { refusedSteps } from "./refused.ts";
import { scalarSteps } from "./scalars.ts";
import type { Step, Steps } from "./steps.ts";

/** The newest protocol that is known. */
const newestProtocol = 5;

const steps: readonly (Step | undefined)[] = tableOf([
  [opcode.PROTO, checkProtocol],
  [opcode.FRAME, (machine) => machine.source.require(machine.source.longLength())],
  ...scalarSteps,
  ...containerSteps,
  ...constructorSteps,
  ...refusedSteps,
]);

/** Returns the value. Throws CorruptStateError for everything that is not a pickle of plain data within the limits. */
export function readPickle(bytes: Uint8Array, settings: ReadSettings): unknown {
  const machine = new Machine(bytes, settings);
  try {
    return finish(run(machine), settings.maxDepth);
  } catch (error) {
    if (error instanceof CorruptStateError) throw error;
    // A string or bigint that is longer than V8 allows, or no memory for it.
    throw new CorruptStateError(`the pickle is more than JavaScript can keep at byte ${machine.at}`, {
      cause: error,
    });
  }
}

function run(machine: Machine): unknown {
  const { source } = machine;
  for (;;) {
    machine.at = source.at;
    const code = source.byte();
    if (code === opcode.STOP) return machine.end();
    const step = steps[code];
    if (step === undefined)
      machine.fail(`has the unknown instruction 0x${code.toString(16).padStart(2, "0")}`);
    step(machine);
  }
}

function checkProtocol(machine: Machine): void {
  const protocol = machine.source.byte();
  if (protocol > newestProtocol)
    machine.fail(`has the protocol ${protocol} (0 to ${newestProtocol} are read)`);
}

function tableOf(list: Steps): (Step | undefined)[] {
  const table = new Array<Step | undefined>(256).fill(undefined);
  for (const [code, step] of list) table[code] = step;
  return table;
}
