#!/usr/bin/env node
/** The command `holdfast-reshard`: changes the number of shards of a store. */
import { parseArgs } from "node:util";
import { HoldfastError } from "../errors.ts";
import { reshard, type StorePlace } from "./reshard.ts";

const help = `holdfast-reshard --from <target>… --to <target>… [options]

Moves all states of a store to another number of shards, or to other servers. No process may have the store open. If it
is interrupted, run the same command again.

  --from <target>      what open() was called with; several times for a list, in the same order
  --to <target>        what open() is to be called with; several times for a list
  --from-shards <n>    the option shards of either
  --to-shards <n>
  --from-prefix <text> the option prefix of either
  --to-prefix <text>
  --declare-keys       the option declareKeys of both

From one Redis to three:   holdfast-reshard --from redis://a --to redis://a --to redis://b --to redis://c
`;

const text = { type: "string" } as const;
const list = { type: "string", multiple: true } as const;
const options = {
  help: { type: "boolean" },
  "declare-keys": { type: "boolean" },
  ...{ from: list, "from-shards": text, "from-prefix": text },
  ...{ to: list, "to-shards": text, "to-prefix": text },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ options });
  const { from = [], to = [], "declare-keys": declareKeys = false } = values;
  if (values.help === true || from.length === 0 || to.length === 0) {
    process.stdout.write(help);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const { moved } = await reshard(
    { ...placeOf(from, values["from-shards"], values["from-prefix"]), declareKeys },
    { ...placeOf(to, values["to-shards"], values["to-prefix"]), declareKeys },
  );
  process.stdout.write(`The store has been moved: ${String(moved)} states are at another place now.\n`);
}

function placeOf(
  targets: readonly string[],
  shards: string | undefined,
  prefix: string | undefined,
): StorePlace {
  const [only = ""] = targets;
  return {
    target: targets.length === 1 ? only : targets,
    ...(shards === undefined ? {} : { shards: Number(shards) }),
    ...(prefix === undefined ? {} : { prefix }),
  };
}

main().catch((error: unknown) => {
  // What it throws on purpose says what to do; so does a wrong option.
  const isKnown = error instanceof HoldfastError || (error as { code?: unknown }).code !== undefined;
  process.stderr.write(`${isKnown ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
});
