/** `holdfast ls`: `store.states()` as a table. */
import { defineCommand } from "../command.ts";
import { durationText } from "../durations.ts";
import { exitCodes } from "../exit-codes.ts";
import { requireFiles, storeOptions, withStore } from "../store-options.ts";

export const lsCommand = defineCommand({
  usage: "[ID-PREFIX] [options]",
  description: `Lists the states; with ID-PREFIX, only those whose ids begin with it. For each: the revision, the size in bytes, the
serializer, the version and the remaining time to live. Lines are printed as they are read, so even a large store needs
little memory.
As JSON: {"id","revision","bytes","serializer","version","expiresInMs"}.`,
  options: storeOptions,
  operands: { min: 0, max: 1 },
  examples: ["holdfast ls", "holdfast ls user: --json | jq -r .id"],
  async run({ values, operands: [idPrefix = ""], output }) {
    requireFiles(values);
    const count = await withStore(values, (store) =>
      output.table(store.states({ idPrefix }), {
        ID: ({ id }) => id,
        REVISION: ({ revision }) => revision,
        BYTES: ({ bytes }) => bytes,
        SERIALIZER: ({ serializer }) => serializer,
        VERSION: ({ version }) => version,
        EXPIRES: ({ expiresInMs }) => durationText(expiresInMs),
      }),
    );
    if (count === 0 && !output.isJson) output.note("There are no such states.");
    return exitCodes.done;
  },
});
