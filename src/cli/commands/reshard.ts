/** `holdfast reshard`: `reshard()` of holdfast/reshard on the command line. */
import { reshard, type StorePlace } from "../../resharding/reshard.ts";
import { defineCommand } from "../command.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { wholeNumber } from "../store-options.ts";

export const reshardCommand = defineCommand({
  usage: "--from URL… --to URL… [options]",
  description: `Moves all states of a store to another number of shards, or to other servers. No process may have the store
open. If it is interrupted, run the same command again.`,
  options: {
    from: {
      type: "string",
      multiple: true,
      value: "URL",
      help: "what open() was called with; several times for a list, in the same order",
    },
    to: {
      type: "string",
      multiple: true,
      value: "URL",
      help: "what open() is to be called with; several times for a list",
    },
    "from-shards": { type: "string", value: "N", help: "the option shards of the old place" },
    "to-shards": { type: "string", value: "N", help: "the option shards of the new place" },
    "from-prefix": { type: "string", value: "TEXT", help: "the option prefix of the old place" },
    "to-prefix": { type: "string", value: "TEXT", help: "the option prefix of the new place" },
    "declare-keys": { type: "boolean", help: "the option declareKeys of both" },
  },
  operands: { min: 0, max: 0 },
  examples: ["holdfast reshard --from redis://a --to redis://a --to redis://b --to redis://c"],
  async run({ values, output }) {
    const { from = [], to = [], "declare-keys": declareKeys = false } = values;
    if (from.length === 0 || to.length === 0) throw new UsageError("--from and --to are needed.");
    const { moved } = await reshard(
      { ...placeOf(from, "from", values), declareKeys },
      { ...placeOf(to, "to", values), declareKeys },
    );
    await output.result(
      { moved },
      `The store has been moved: ${String(moved)} states are at another place now.`,
    );
    return exitCodes.done;
  },
});

type Side = "from" | "to";
type PlaceValues = Readonly<Partial<Record<`${Side}-${"shards" | "prefix"}`, string>>>;

function placeOf(targets: readonly string[], side: Side, values: PlaceValues): StorePlace {
  const [only = ""] = targets;
  const { [`${side}-shards` as const]: shards, [`${side}-prefix` as const]: prefix } = values;
  return {
    target: targets.length === 1 ? only : targets,
    ...(shards === undefined ? {} : { shards: wholeNumber(shards, `--${side}-shards`) }),
    ...(prefix === undefined ? {} : { prefix }),
  };
}
