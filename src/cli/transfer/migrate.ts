/** `holdfast migrate`: copies a store to another backend, or to another prefix. */
import { InvalidArgumentError } from "../../errors.ts";
import { idPrefix as parseIdPrefix } from "../../names.ts";
import { defineCommand } from "../command.ts";
import { UsageError } from "../exit-codes.ts";
import { shardCountOf, type StoreValues } from "../store-options.ts";
import { migrateStates } from "./migrate-states.ts";
import { putOptions, putOptionsOf, tallyOf } from "./options.ts";
import { withPlace } from "./place.ts";

export const migrateCommand = defineCommand({
  usage: "--from URL --to URL [options]",
  description: `Copies all states from one store to another, of any kind: Redis, SQLite, another prefix. Each copy is read back.
The old store stays as it is. Results of a once are copied; locks, queues and limits of semaphores are not. Fences and
revisions of the new store are greater than those of the old one.
Close the store in every process first: it is refused while a lock is held, and states that were changed meanwhile are
named at the end (exit code 1). If it is interrupted, run the same command again: what is there already is equal.`,
  options: {
    from: {
      type: "string",
      multiple: true,
      value: "URL",
      help: "the old store; several times for a list of shards, in the same order",
    },
    to: {
      type: "string",
      multiple: true,
      value: "URL",
      help: "the new store; several times for a list of shards",
    },
    "from-prefix": { type: "string", value: "TEXT", help: "the option prefix of the old store" },
    "to-prefix": { type: "string", value: "TEXT", help: "the option prefix of the new store" },
    "from-shards": { type: "string", value: "N", help: "the option shards of the old store" },
    "to-shards": { type: "string", value: "N", help: "the option shards of the new store" },
    "id-prefix": { type: "string", value: "TEXT", help: "only states whose id begins with it" },
    live: {
      type: "boolean",
      help: "also while locks are held: a first copy, to be completed once all is closed",
    },
    ...putOptions,
  },
  operands: { min: 0, max: 0 },
  examples: [
    "holdfast migrate --from redis://localhost --to sqlite:data/store.db",
    "holdfast migrate --from redis://localhost --to redis://localhost --to-prefix shop: --id-prefix shop",
  ],
  async run({ values, output }) {
    const { from = [], to = [], live: isLive = false } = values;
    if (from.length === 0 || to.length === 0) throw new UsageError("--from and --to are needed.");
    const source = sideOf(from, values["from-prefix"], values["from-shards"]);
    const target = sideOf(to, values["to-prefix"], values["to-shards"]);
    const idPrefix = parseIdPrefix(values["id-prefix"] ?? "", "--id-prefix");
    const [how, tally] = [putOptionsOf(values), tallyOf(output, values)];
    const shards = { from: shardCountOf(source), to: shardCountOf(target) };
    return withPlace(source, "read", (old) =>
      withPlace(target, how.isDryRun ? "dry run" : "write", async (fresh) => {
        if (old.label === fresh.label) throw isSamePlace(old.label);
        const changed = await migrateStates(
          { from: old, to: fresh, shards },
          { ...how, idPrefix, isLive, tally, output },
        );
        return tally.sum(changed === 0 ? {} : { changed });
      }),
    );
  },
});

function sideOf(url: readonly string[], prefix: string | undefined, shards: string | undefined): StoreValues {
  return {
    url,
    ...(prefix === undefined ? {} : { prefix }),
    ...(shards === undefined ? {} : { shards }),
  };
}

function isSamePlace(label: string): InvalidArgumentError {
  return new InvalidArgumentError(`--from and --to are the same place: ${label}.`);
}
