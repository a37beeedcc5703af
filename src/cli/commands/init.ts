/** `holdfast init`: opens the store, so that a SQLite file is created and the rights of a server's user are checked. */
import { defineCommand } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { storeOptions, withBackend, type Opened } from "../store-options.ts";

export const initCommand = defineCommand({
  usage: "[options]",
  description: `Opens the store and says where it is. Creates a SQLite file and its folder if they are not there yet. On Redis, nothing
has to be created: it checks the connection, the user's rights, and the settings of the server. It can be repeated.
As JSON: {"store"}.`,
  options: storeOptions,
  operands: { min: 0, max: 0 },
  examples: ["holdfast init", "holdfast init --url sqlite:data/store.db"],
  async run({ values, output }) {
    const open = async ({ store, backend, calls }: Opened): Promise<string> => {
      await store.ready();
      // A file that can only be read opens, too. This changes nothing, but asks for the right to write.
      await calls.idempotent("Checking the right to write", () => backend.renewLocks([]));
      return store.name;
    };
    const store = await withBackend(values, open, { mayCreate: true });
    await output.result({ store }, `The store is ready: ${store}`);
    return exitCodes.done;
  },
});
