/** `holdfast index`: builds or drops the index of ids that a store on Redis keeps with `index: true`. */
import { InvalidArgumentError } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { backendsOf, storeOptions } from "../store-options.ts";

const operationMs = 60_000;

export const indexCommand = defineCommand({
  usage: "build|drop [options]",
  description: `"build" adds an index to a store on Redis that is in use without one, so that open() can have index: true. "drop" removes
it. First close the store in every process: the command is refused while a lock is held. From its first step on, a process
that still runs with the old setting can neither save nor lock. If "build" is interrupted, run it again. On a store that
has an index, it adds what is missing.
As JSON: {"changed","ids"}: whether there was something to do, and how many ids were added.`,
  options: storeOptions,
  operands: { min: 1, max: 1 },
  examples: ["holdfast index build --url redis://localhost", "holdfast index drop --url redis://localhost"],
  async run({ values, operands: [action], output }) {
    if (action !== "build" && action !== "drop")
      throw new UsageError(`"build" or "drop" is needed; got ${JSON.stringify(action)}.`);
    const done = { changed: false, ids: 0 };
    for (const backend of backendsOf(values, operationMs)) {
      const report = await backend.changeIndex(action);
      if (report === null) {
        throw new InvalidArgumentError(
          `${backend.name} keeps its ids in order anyway: there is no index to build or drop.`,
        );
      }
      done.changed ||= report.changed;
      done.ids += report.ids;
    }
    await output.result(done, textOf(action, done));
    return exitCodes.done;
  },
});

function textOf(action: "build" | "drop", { changed, ids }: { changed: boolean; ids: number }): string {
  if (action === "drop")
    return changed ? "The store has no index any more." : "The store had no index: nothing was done.";
  const added = `${String(ids)} ids were added.`;
  return changed
    ? `The store has an index now: ${added} Open it with index: true.`
    : `The store had an index already: ${added}`;
}
