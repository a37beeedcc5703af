/** `holdfast rm`: deletes states by id, or all whose ids begin with a text. */
import { HoldfastError, UnavailableError } from "../../errors.ts";
import type { DeleteOptions } from "../../handles/state/state.ts";
import { defineCommand } from "../command.ts";
import { confirmed, requireTerminal } from "../data/confirm.ts";
import { forEachOf } from "../../calls/each-of.ts";
import { givenIds, idsOption } from "../data/ids.ts";
import { stateId } from "../data/stored.ts";
import { waitMsOf, waitOption } from "../data/wait-option.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { stamp, storeOptions, withBackend, type Opened } from "../store-options.ts";

export const rmCommand = defineCommand({
  usage: "ID… | --id-prefix TEXT [options]",
  description: `Deletes states. If a state does not exist, it says so, and the exit code is 1. With --id-prefix, it deletes all states
whose ids begin with TEXT. It asks first; without a terminal, --yes is required. It waits while others hold the lock of a
state.
As JSON: {"id","removed"} for each, and "why" if nothing was removed.`,
  options: {
    ...idsOption,
    "if-revision": { type: "string", value: "N", help: "only if the state is at this revision; for one ID" },
    ...waitOption,
    ...storeOptions,
  },
  operands: { min: 0, max: Infinity },
  examples: ["holdfast rm counter", "holdfast rm --id-prefix session: --yes"],
  async run({ values, operands, output }) {
    const given = givenIds(operands, values);
    const { "if-revision": revision, yes = false } = values;
    if (revision !== undefined && given.ids?.length !== 1)
      throw new UsageError("--if-revision is for one ID.");
    const how: DeleteOptions = {
      ...(revision === undefined ? {} : { ifRevision: stamp(revision, "--if-revision") }),
      ...waitMsOf(values),
    };
    const { ids, idPrefix = "" } = given;
    if (ids !== undefined) {
      const all = [...new Set(ids.map(stateId))].map((id) => ({ id }));
      return withBackend(values, (opened) => removeAll({ opened, how, output }, all));
    }
    requireTerminal(yes);
    return withBackend(values, async (opened) => {
      const all = (): AsyncIterable<{ readonly id: string }> => opened.store.states({ idPrefix });
      if (!yes && !(await isSure(opened, all(), idPrefix))) return exitCodes.no;
      return removeAll({ opened, how, output }, all());
    });
  },
});

async function isSure({ store }: Opened, all: AsyncIterable<unknown>, idPrefix: string): Promise<boolean> {
  let count = 0;
  for await (const _ of all) count += 1;
  if (count === 0) return true;
  const which = `whose ids begin with ${JSON.stringify(idPrefix)}`;
  return confirmed(`Delete ${countOf(count)} ${which} in ${store.name}?`);
}

interface Removal {
  readonly opened: Opened;
  readonly how: DeleteOptions;
  readonly output: Output;
}

interface Named {
  readonly id: string;
}

async function removeAll(removal: Removal, ids: AsyncIterable<Named> | Iterable<Named>): Promise<number> {
  const { output } = removal;
  const count = { removed: 0, left: 0 };
  await forEachOf(ids, async ({ id }) => {
    const why = await whyNotRemoved(removal, id);
    count[why === undefined ? "removed" : "left"] += 1;
    if (why !== undefined) output.note(why);
    if (output.isJson) await output.result({ id, removed: why === undefined, ...(why && { why }) }, "");
  });
  if (!output.isJson) await output.result({}, `${countOf(count.removed)} deleted.`);
  return count.left === 0 ? exitCodes.done : exitCodes.no;
}

/** `undefined`: it was removed. Throws if the store cannot be used. */
async function whyNotRemoved({ opened, how }: Removal, id: string): Promise<string | undefined> {
  try {
    const existed = await opened.store.state(id).delete(how);
    return existed ? undefined : `The state ${JSON.stringify(id)} is absent.`;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error instanceof UnavailableError) throw error;
    return error.message;
  }
}

function countOf(count: number): string {
  return count === 1 ? "1 state" : `${String(count)} states`;
}
