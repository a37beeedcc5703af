// A process that saves one number after another and tells of each, or one that watches and tells of each value that it sees;
// or one that drops what it watches, and has nothing more to do.

import { open } from "../../../../src/index.ts";

const [url = "", role = ""] = process.argv.slice(2);
const store = open(url, { operationMs: 2_000 });
const state = store.state<number>("watched", { initial: () => 0 });

/** Synchronous on pipes, so that what was told is told even if SIGKILL comes next. */
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const roles: Readonly<Record<string, () => Promise<void>>> = {
  async saves() {
    for (;;) tell({ saved: await state.update((n) => n + 1) });
  },
  async watches() {
    for await (const snapshot of state.watch()) tell({ seen: snapshot?.value ?? null });
  },
  async drops() {
    const changes = state.watch()[Symbol.asyncIterator]();
    await changes.next();
    tell({ dropped: true });
  },
};
await roles[role]?.();
