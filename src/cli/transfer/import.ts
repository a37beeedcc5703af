/** `holdfast import`: the states of an export, or those of statefulpy. */
import { defineCommand, type Values } from "../command.ts";
import { UsageError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { storeOptions } from "../store-options.ts";
import { importLines } from "./import-lines.ts";
import { putOptions, putOptionsOf, tallyOf } from "./options.ts";
import { withPlace } from "./place.ts";

const options = { ...storeOptions, ...putOptions } as const;

export const importCommand = defineCommand({
  usage: "[FILE|-] [options]",
  description: `Reads what holdfast export has written, from FILE or the standard input, into the store. Expiries are kept.
What is there with the same content counts as equal, so an import that was interrupted is completed by the same call.
What is there with another content is left as it is, unless --overwrite is given. A record that could not be read or
written is named on the standard error, and the exit code is 1.`,
  options,
  operands: { min: 0, max: 1 },
  examples: ["holdfast import backup.jsonl --url sqlite:data/store.db --dry-run"],
  run: ({ values, operands: [file = "-"], output }) => importFile(file, values, output),
});

function importFile(file: string, values: Values<typeof options>, output: Output): Promise<number> {
  if (file === "-" && process.stdin.isTTY)
    throw new UsageError("Name a file, or redirect the standard input.");
  const [how, tally] = [putOptionsOf(values), tallyOf(output, values)];
  return withPlace(values, how.isDryRun ? "dry run" : "write", async (part) => {
    await importLines(file, { part, how, tally });
    return tally.sum();
  });
}
