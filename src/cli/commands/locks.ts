/** `holdfast locks`: `store.locks()` as a table. */
import type { LockInfo } from "../../handles/lock-info.ts";
import { defineCommand } from "../command.ts";
import { holderText } from "../data/holders.ts";
import { durationText } from "../durations.ts";
import { exitCodes } from "../exit-codes.ts";
import { requireFiles, storeOptions, withStore } from "../store-options.ts";

export const locksCommand = defineCommand({
  usage: "[ID-PREFIX] [options]",
  description: `Lists the locks that are held, or those whose ids begin with ID-PREFIX: the holder as host:pid, or the token of another
program; its fence; the remaining lease; how many processes wait; and how many hold it if it is shared (then the holder
is the one whose lease ends first, and holdfast inspect shows all). They come in no particular order.
As JSON: {"id","holder","fence","expiresInMs","waiters"}, and "holders" if it is shared.`,
  options: storeOptions,
  operands: { min: 0, max: 1 },
  examples: ["holdfast locks", "holdfast locks job: --json"],
  async run({ values, operands: [idPrefix = ""], output }) {
    requireFiles(values);
    const count = await withStore(values, (store) =>
      output.table<LockInfo>(store.locks({ idPrefix }), {
        ID: ({ id }) => id,
        HOLDER: ({ holder }) => holderText(holder),
        FENCE: ({ fence }) => fence ?? "-",
        LEASE: ({ expiresInMs }) => durationText(expiresInMs),
        WAITERS: ({ waiters }) => waiters,
        SHARED: ({ holders }) => holders?.length ?? "-",
      }),
    );
    if (count === 0 && !output.isJson) output.note("No such lock is held.");
    return exitCodes.done;
  },
});
