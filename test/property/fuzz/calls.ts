// Calls of the public API, as a case of the hostile neighbours makes them: each must settle, with a value or with an
// error of the closed set, whatever stands under the keys. Two that write are told apart, since what they may overwrite
// is checked.

import fc from "fast-check";

import type { Grant, Store } from "../../../src/index.ts";
import { settle, type Verdict } from "./harness.ts";

/** The few ids that a case is about. */
export const idArbitrary = fc.constantFrom("a", "b");

type Act = (store: Store, id: string) => unknown;

const counted = { initial: (): { n: number } => ({ n: 0 }) };

async function drain(listing: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of listing) ids.push(id);
  return ids;
}

/** What only looks, or must leave alone what it cannot read. */
const careful = {
  load: (store, id) => store.state(id).load(),
  read: (store, id) => store.state(id).read(),
  update: (store, id) =>
    store.state<unknown>(id, { initial: () => null }).update((draft) => ({ was: typeof draft })),
  run: (store, id) =>
    store.state(id, counted).run((draft) => {
      if (typeof draft === "object" && draft !== null) draft.n = 1;
    }),
  "two updates": (store, id) => {
    const state = store.state<unknown>(id, { initial: () => 1 });
    return Promise.all([state.update(() => ({ first: 1 })), state.update(() => ({ second: 2 }))]);
  },
  transact: (store, id) => {
    const other = store.state<unknown>(id === "a" ? "b" : "a", { initial: () => null });
    return store.transact([store.state(id, counted), other], ([draft]) => {
      if (typeof draft === "object" && draft !== null) draft.n += 1;
    });
  },
  "transact and delete": (store, id) => {
    const [one, other] = [store.state(id, counted), store.state(id === "a" ? "b" : "a", counted)];
    return store.transact([one, other], (_, context) => context.delete(other));
  },
  touch: (store, id) => store.state(id).touch(60_000),
  states: (store) => drain(store.states()),
  locks: (store) => drain(store.locks()),
  inspect: (store, id) => store.lock(id).inspect(),
  "try to acquire": async (store, id) => {
    const grant = await store.lock(id).tryAcquire();
    return await grant?.release();
  },
  "lock and run": (store, id) => store.lock(id).run(() => store.lock(id).run(({ fence }) => fence)),
  "two locks": (store, id) =>
    Promise.all([store.lock(id).run(() => 1), store.lock(id).run(() => 2), store.lock(id).run(() => 3)]),
  force: (store, id) => store.lock(id).forceRelease(),
} satisfies Record<string, Act>;

/** What may replace or delete a state under a right head, even though its bytes cannot be decoded. */
const bold = {
  save: (store, id) => store.state(id).save({ saved: true }),
  "try to save": (store, id) => store.state(id).trySave([1], { ifRevision: "absent" }),
  "save in a lock": (store, id) => store.lock(id).run(() => store.state(id).save("in a lock")),
  delete: (store, id) => store.state(id).delete(),
} satisfies Record<string, Act>;

const acts: Readonly<Record<string, Act>> = { ...careful, ...bold };

export interface Call {
  readonly name: string;
  readonly id: string;
  /** By which of two stores. */
  readonly by: number;
}

export const callArbitrary: fc.Arbitrary<Call> = fc.record({
  name: fc.constantFrom(...Object.keys(acts)),
  id: idArbitrary,
  by: fc.nat(1),
});

export const isBold = ({ name }: Call): boolean => Object.hasOwn(bold, name);

export function perform(store: Store, { name, id }: Call): Promise<Verdict> {
  return settle(`${name} ${id}`, () => acts[name]?.(store, id));
}

/** A grant, if it can be had; what it is released with at the end of the case must settle, too. */
export async function hold(store: Store, id: string): Promise<() => Promise<void>> {
  const verdict = await settle(`hold ${id}`, () => store.lock(id).acquire());
  const grant = "value" in verdict ? (verdict.value as Grant) : undefined;
  return async () => {
    await settle(`release ${id}`, () => grant?.release());
  };
}
