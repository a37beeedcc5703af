/** `holdfast import`: the states of an export, or those of statefulpy. */
import { defineCommand, type Values } from "../command.ts";
import { UsageError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { storeOptions } from "../store-options.ts";
import { importLines, type Importing } from "./import-lines.ts";
import { putOptions, putOptionsOf, statefulpyOptions, tallyOf } from "./options.ts";
import { withPlace } from "./place.ts";

const options = { ...storeOptions, ...putOptions, ...statefulpyOptions } as const;

export const importCommand = defineCommand({
  usage: "[FILE|-] [options], or --from statefulpy --source URL --serializer NAME [options]",
  description: `Reads what holdfast export has written, from FILE or the standard input, into the store. Expiries are kept.
With --from statefulpy, reads the states of that Python library, from its Redis keys or its SQLite file, and leaves them
as they are. End its programs first.
What is there with the same content counts as equal, so an import that was interrupted is completed by the same call.
What is there with another content is left as it is, unless --overwrite is given. A record that could not be read or
written is named on the standard error, and the exit code is 1.`,
  options,
  operands: { min: 0, max: 1 },
  examples: [
    "holdfast import backup.jsonl --url sqlite:data/store.db --dry-run",
    "holdfast import --from statefulpy --source redis://localhost --serializer pickle --url redis://localhost",
    "holdfast import --from statefulpy --source sqlite:stateful.db --serializer pickle --to-serializer json",
  ],
  async run({ values, operands: [file], output }) {
    const isExport = Object.keys(statefulpyOptions).every((name) => !Object.hasOwn(values, name));
    if (isExport) return importInto(values, output, (into) => importLines(inputOf(file), into));
    if (file !== undefined) throw new UsageError("With --from statefulpy, no FILE is read.");
    const { importStatefulpy, sourceOf } = await import("./statefulpy.ts");
    const source = sourceOf(values);
    return importInto(values, output, (into) => importStatefulpy(source, into));
  },
});

async function importInto(
  values: Values<typeof options>,
  output: Output,
  read: (into: Importing) => Promise<void>,
): Promise<number> {
  const [how, tally] = [putOptionsOf(values), tallyOf(output, values)];
  return withPlace(values, how.isDryRun ? "dry run" : "write", async (part) => {
    await read({ part, how, tally });
    return tally.sum();
  });
}

function inputOf(file = "-"): string {
  if (file === "-" && process.stdin.isTTY)
    throw new UsageError("Name a file, or redirect the standard input.");
  return file;
}
