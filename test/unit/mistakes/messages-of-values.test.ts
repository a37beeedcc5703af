// Messages about values name what was asked for in the words of the call.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { open, sealed } from "../../../src/index.ts";

const store = open("memory:");
const key = (id: string) => ({ id, key: randomBytes(32) });
const state = store.state<number>("n");

const cases: Record<string, { make: () => unknown; says: RegExp }> = {
  "a delete that is refused": {
    make: () => state.delete({ ifRevision: 7 }),
    says: /^The state "n" was not deleted: you asked for revision 7, and it is absent/,
  },
  "a save that is refused": {
    make: () => state.save(1, { ifRevision: 7 }),
    says: /^The state "n" was not written: /,
  },
  "a life that touch() does not take": {
    make: () => state.touch("keep" as never),
    says: /^ttl must be a number of milliseconds, "none" or/,
  },
  "no keys": {
    make: () => sealed("json", { keys: [] }),
    says: /^keys must be a list of 1 to 100 keys; got 0\. The first one seals, and each one opens what it sealed/,
  },
  "a key that is missing": {
    make: async () => {
      const handle = (id: string) => store.state("s", { serializer: sealed("json", { keys: [key(id)] }) });
      await handle("a").save(1);
      await handle("b").load();
    },
    says: /^The state "s" cannot be read and was left as it is: it was sealed with the key "a"/,
  },
};

test.each(Object.entries(cases))("%s", async (_, { make, says }) => {
  await expect((async () => make())()).rejects.toThrow(says);
});
