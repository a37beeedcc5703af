/** `holdfast locks`: `store.locks()` as a table. */
import type { LockInfo } from "../../handles/lock-info.ts";
import { defineCommand } from "../command.ts";
import { holderText } from "../data/holders.ts";
import { durationText } from "../durations.ts";
import { exitCodes } from "../exit-codes.ts";
import { requireFiles, storeOptions, withStore } from "../store-options.ts";

export const locksCommand = defineCommand({
  usage: "[ID-PREFIX] [options]",
  description: `Lists the locks that are held; with ID-PREFIX, only those whose ids begin with it. For each: the holder as host:pid, or
the token of another program; its fence; the remaining lease; how many processes wait; and how many hold it if it is
shared. Of a shared lock, the holder is the one whose lease ends first; holdfast inspect shows all. The order is arbitrary.
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
