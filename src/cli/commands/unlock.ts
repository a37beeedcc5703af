/** `holdfast unlock`: takes locks from their holders, as `lock.forceRelease()` does, and says who lost them. */
import type { LockEntry } from "../../backends/contract.ts";
import * as names from "../../names.ts";
import { defineCommand } from "../command.ts";
import { confirmed, requireTerminal } from "../data/confirm.ts";
import { forEachOf } from "../../calls/each-of.ts";
import { heldText, lockView, tokenOf, type HeldView } from "../data/holders.ts";
import { givenIds, idsOption } from "../data/ids.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { stamp, storeOptions, withBackend, type Opened } from "../store-options.ts";

export const unlockCommand = defineCommand({
  usage: "ID (--fence N | --force) | --id-prefix TEXT [options]",
  description: `Takes a lock from its holder, or from all holders if it is shared, and gives it to the first process that waits. Later
saves of the old holder are refused. With --fence, it takes the lock only from the holder with this fence, so that a lock
that has changed hands since you looked is left alone. It prints who lost the lock; if nobody held it so, the exit code is
1. With --id-prefix, it takes all locks whose ids begin with TEXT. It asks first; without a terminal, --yes is required.
As JSON: {"id","lost":[{"holder","fence","lastFence","expiresInMs"}]} for each lock.`,
  options: {
    fence: { type: "string", value: "N", help: "only from the holder with this fence" },
    force: { type: "boolean", help: "from any holder" },
    ...idsOption,
    ...storeOptions,
  },
  operands: { min: 0, max: 1 },
  examples: [
    "holdfast unlock report --fence 1796020000000000",
    "holdfast unlock report --force",
    "holdfast unlock --id-prefix job: --yes",
  ],
  async run({ values, operands, output }) {
    const { fence, force = false, yes = false } = values;
    const { ids, idPrefix = "" } = givenIds(operands, values);
    if (ids !== undefined) {
      if ((fence === undefined) === !force) {
        throw new UsageError(
          "Give --fence, which holdfast inspect shows, or --force to take it from any holder.",
        );
      }
      const ifFence = fence === undefined ? undefined : stamp(fence, "--fence");
      const id = names.parseId(ids[0], "A lock's id");
      return withBackend(values, (opened) => unlock({ opened, output, ifFence }, id));
    }
    if (fence !== undefined) throw new UsageError("--fence is for one lock.");
    requireTerminal(yes);
    return withBackend(values, async (opened) => {
      const all = (): AsyncIterable<{ readonly id: string }> => opened.store.locks({ idPrefix });
      if (!yes && !(await isSure(opened, all(), idPrefix))) return exitCodes.no;
      return unlockAll({ opened, output, ifFence: undefined }, all());
    });
  },
});

async function isSure({ store }: Opened, all: AsyncIterable<unknown>, idPrefix: string): Promise<boolean> {
  let count = 0;
  for await (const _ of all) count += 1;
  if (count === 0) return true;
  const which = `whose ids begin with ${JSON.stringify(idPrefix)}`;
  return confirmed(`Take ${count === 1 ? "1 lock" : `${String(count)} locks`} ${which} in ${store.name}?`);
}

interface Unlocking {
  readonly opened: Opened;
  readonly output: Output;
  readonly ifFence: number | undefined;
}

async function unlockAll(unlocking: Unlocking, ids: AsyncIterable<{ readonly id: string }>): Promise<number> {
  let taken = 0;
  await forEachOf(ids, async ({ id }) => {
    if ((await unlock(unlocking, id)) === exitCodes.done) taken += 1;
  });
  if (taken === 0) unlocking.output.note("No such lock is held.");
  return exitCodes.done; // a lock that was released meanwhile is as free as it was to be
}

async function unlock(unlocking: Unlocking, id: string): Promise<number> {
  const { opened, output, ifFence } = unlocking;
  const { backend, calls } = opened;
  const found = await calls.read({ doing: "Inspecting the lock", id }, () => backend.inspectLock(id));
  const holders = found === null ? [] : lockView(found).holders;
  const lost: HeldView[] = [];
  for (const held of holders.filter((one) => ifFence === undefined || hasFence(one, ifFence))) {
    if (await takeFrom(unlocking, id, held)) lost.push(held);
  }
  if (lost.length === 0) {
    output.note(whyNone(id, found, ifFence));
    return exitCodes.no;
  }
  const from = lost.map(heldText).join(", ");
  await output.result({ id, lost }, `The lock ${JSON.stringify(id)} was taken from ${from}.`);
  return exitCodes.done;
}

function hasFence({ fence, lastFence }: HeldView, wanted: number): boolean {
  return fence !== null && lastFence !== null && fence <= wanted && wanted <= lastFence;
}

async function takeFrom({ opened, ifFence }: Unlocking, id: string, { holder }: HeldView): Promise<boolean> {
  const { backend, calls } = opened;
  const { reply } = await calls.exactlyOnce({ doing: "Force-releasing the lock", id }, (receipt) =>
    backend.releaseLock(id, tokenOf(holder), { forced: { ifFence } }, receipt),
  );
  return reply.status === "released";
}

function whyNone(id: string, found: LockEntry | null, ifFence: number | undefined): string {
  const lock = `The lock ${JSON.stringify(id)}`;
  if (found === null) return `${lock} is not held.`;
  const holders = lockView(found).holders.map(heldText).join(", ");
  if (ifFence === undefined) return `${lock} was released meanwhile by ${holders}.`;
  return `${lock} is not held with the fence ${String(ifFence)}, but by ${holders}.`;
}
