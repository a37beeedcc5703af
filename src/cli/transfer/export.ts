/** `holdfast export`: all states as JSON, one on a line. Each is as it was at one moment; together they are not. */
import { idPrefix as parseIdPrefix } from "../../names.ts";
import type { Part } from "../../resharding/part.ts";
import { defineCommand } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { storeOptions } from "../store-options.ts";
import { foundStates, labelOf, type Found } from "./ids.ts";
import { inOrder } from "./in-order.ts";
import { withPlace } from "./place.ts";
import { endLine, headerLine, recordLine } from "./record.ts";

export const exportCommand = defineCommand({
  usage: "[ID-PREFIX] [options] > FILE",
  description: `Writes all states, or those whose id begins with ID-PREFIX, to the standard output: JSON, one object on a line, for
holdfast import. Results of a once are among them; locks are not.
Each state is as it was at one moment. For a copy of one moment of all, close the store in every process first.
A state that cannot be read is named on the standard error, and the exit code is 1.`,
  options: storeOptions,
  operands: { min: 0, max: 1 },
  examples: [
    "holdfast export --url redis://localhost > backup.jsonl",
    "holdfast export user: --url sqlite:data/store.db | gzip > users.jsonl.gz",
  ],
  async run({ values, operands: [prefix = ""], output }) {
    const idPrefix = parseIdPrefix(prefix, "ID-PREFIX");
    return withPlace(values, "read", (part) => exportStates(part, idPrefix, output));
  },
});

async function exportStates(part: Part, idPrefix: string, output: Output): Promise<number> {
  await output.raw(headerLine(part.label));
  const counts = { states: 0, unreadable: 0 };
  const bytesOf = ({ entry }: Found): number => entry?.bytes ?? 0;
  const read = ({ id }: Found): Promise<Read> => readOne(part, id);
  for await (const { line, unreadable } of inOrder(foundStates(part, idPrefix), bytesOf, read)) {
    if (line !== undefined) {
      counts.states += 1;
      await output.raw(line);
    }
    if (unreadable !== undefined) {
      counts.unreadable += 1;
      output.note(unreadable);
    }
  }
  await output.raw(endLine(counts));
  return counts.unreadable > 0 ? exitCodes.no : exitCodes.done;
}

/** Neither: it is gone by now. */
interface Read {
  readonly line?: string;
  readonly unreadable?: string;
}

async function readOne(part: Part, id: string): Promise<Read> {
  const state = await part.look(id);
  if (state === null) return {};
  if ("unreadable" in state) return { unreadable: `${labelOf(id)} cannot be read: ${state.unreadable}.` };
  return { line: recordLine(id, state) };
}
