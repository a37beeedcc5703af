// The calls of a store that change something, each with what must be true after it was disturbed: on a list of names,
// to which this call adds "mine" and the rival "theirs". Whatever was applied twice or not at all shows in the list.

import { expect } from "vitest";

import type { Grant, Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";

export interface Outcome {
  /** Of a client that was not disturbed. */
  readonly store: Store;
  readonly id: string;
  readonly answer: unknown;
  /** There was one, and what it saw; by default what was in the list when it had written. */
  readonly rival: { readonly seen: unknown } | undefined;
  /** What `prepare` made. */
  readonly scene: unknown;
}

export interface Call {
  readonly name: string;
  /** Done by the undisturbed client before the call. */
  prepare?(store: Store, id: string): Promise<unknown>;
  run(store: Store, id: string): Promise<unknown>;
  /** Resolves when what it does in the background has been done, by the eyes of the undisturbed client. */
  settled?(store: Store, id: string): Promise<void>;
  rival(store: Store, id: string): Promise<unknown>;
  check(outcome: Outcome): Promise<void>;
}

type Names = string[];
const names = (store: Store, id: string) => store.state(id, { initial: (): Names => [] });
const push = (store: Store, id: string, name: string): Promise<Names> =>
  names(store, id).update((draft) => void draft.push(name));
const theirs = (store: Store, id: string): Promise<Names> => push(store, id, "theirs");
const stored = (store: Store, id: string): Promise<Names> => names(store, id).load();

/** Both are there once, in either order. */
async function bothOnce({ store, id, rival }: Outcome): Promise<void> {
  const expected = rival === undefined ? ["mine"] : ["mine", "theirs"];
  expect((await stored(store, id)).toSorted()).toEqual(expected);
}

/** The last of the two that was carried out stands: whoever came second saw the first one's. */
async function lastStands({ store, id, rival }: Outcome, own: Names): Promise<void> {
  const expected = rival === undefined || !sawMine(rival.seen, own) ? own : (rival.seen as Names);
  expect(await stored(store, id)).toEqual(expected);
}

/** Whether the list that the rival left was made from what this call had left. */
function sawMine(seen: unknown, own: Names): boolean {
  return JSON.stringify(seen) === JSON.stringify([...own, "theirs"]);
}

const update: Call = {
  name: "update",
  run: (store, id) => push(store, id, "mine"),
  rival: theirs,
  async check(outcome) {
    expect(outcome.answer).toContain("mine");
    await bothOnce(outcome);
  },
};

const run: Call = {
  name: "run",
  run: (store, id) => names(store, id).run((draft) => draft.push("mine")),
  rival: theirs,
  async check(outcome) {
    const list = await stored(outcome.store, outcome.id);
    expect(outcome.answer).toBe(list.indexOf("mine") + 1);
    await bothOnce(outcome);
  },
};

const updateInside: Call = {
  name: "update inside lock.run",
  run: (store, id) => store.lock(id).run(() => push(store, id, "mine")),
  rival: theirs,
  check: update.check,
};

const save: Call = {
  name: "save",
  prepare: (store, id) => names(store, id).save(["old"]),
  run: (store, id) => names(store, id).save(["mine"]),
  rival: theirs,
  async check(outcome) {
    expect(outcome.answer).toBeTypeOf("number");
    await lastStands(outcome, ["mine"]);
    const revision = (await names(outcome.store, outcome.id).read())?.revision ?? 0;
    if ((await stored(outcome.store, outcome.id)).length === 1) expect(outcome.answer).toBe(revision);
    else expect(outcome.answer).toBeLessThan(revision);
  },
};

/** Without receipts its own first try would be the conflict. */
const insert: Call = {
  name: "trySave if absent",
  run: (store, id) => names(store, id).trySave(["mine"], { ifRevision: "absent" }),
  rival: theirs,
  async check({ store, id, answer, rival }) {
    const won = rival === undefined || sawMine(rival.seen, ["mine"]);
    const list = won ? ["mine", ...(rival === undefined ? [] : ["theirs"])] : ["theirs"];
    expect(answer !== null).toBe(won);
    expect(await stored(store, id)).toEqual(list);
  },
};

const remove: Call = {
  name: "delete",
  prepare: (store, id) => names(store, id).save(["old"]),
  run: (store, id) => names(store, id).delete(),
  rival: theirs,
  check: (outcome) => lastStands(outcome, []),
};

const lockOnly: Call = {
  name: "acquire and release",
  run: async (store, id) => {
    const grant = await store.lock(id).acquire();
    await names(store, id).save(["mine"], { grant });
    return grant.release();
  },
  rival: theirs,
  async check(outcome) {
    expect(outcome.answer).toBe(true);
    await lastStands(outcome, ["mine"]);
  },
};

/** Somebody holds the lock: it asks, gives up, and cancels. */
const cancel: Call = {
  name: "acquire that gives up",
  prepare: (store, id) => store.lock(id).acquire(),
  run: (store, id) =>
    store
      .lock(id)
      .acquire({ waitMs: 20 })
      .catch((error: unknown) => error),
  settled: (store, id) => poll(async () => (await store.lock(id).inspect())?.waiters).toBe(0),
  rival: async () => undefined, // it holds the lock already
  async check({ store, id, answer, scene }) {
    const held = scene as Grant;
    expect(answer).toMatchObject({ code: "LOCK_TIMEOUT" });
    await poll(() => store.lock(id).inspect()).toMatchObject({ fence: held.fence, waiters: 0 });
    expect(await held.release()).toBe(true);
  },
};

/** Exactly the holder's grant ends: not the one of whoever gets the lock next. */
const force: Call = {
  name: "forceRelease",
  prepare: (store, id) => store.lock(id).acquire(),
  run: (store, id) => store.lock(id).forceRelease(),
  rival: (store, id) => store.lock(id).acquire(),
  async check({ store, id, answer, rival, scene }) {
    expect(answer).toBe(true);
    expect(await (scene as Grant).release()).toBe(false);
    if (rival === undefined) return;
    const next = rival.seen as Grant;
    expect(await store.lock(id).inspect()).toMatchObject({ fence: next.fence });
    expect(await next.release()).toBe(true);
  },
};

const touch: Call = {
  name: "touch",
  prepare: (store, id) => names(store, id).save(["mine"]),
  run: (store, id) => names(store, id).touch(60_000),
  rival: theirs, // keeps the life that the state has [S7]
  async check(outcome) {
    expect(outcome.answer).toBe(true);
    await bothOnce(outcome);
    expect((await names(outcome.store, outcome.id).read())?.expiresInMs).toBeGreaterThan(0);
  },
};

export const calls: readonly Call[] = [
  update,
  run,
  updateInside,
  save,
  insert,
  remove,
  lockOnly,
  cancel,
  force,
  touch,
];
