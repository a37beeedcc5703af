/** What the cases of several locks use. */
import type { Store } from "../../../store/store.ts";
import type { Fixture } from "../../fixture.ts";

/** Three new ids, in the order in which they are acquired. */
export function threeIds(fixture: Fixture): [a: string, b: string, c: string] {
  const id = fixture.id();
  return [`${id}:a`, `${id}:b`, `${id}:c`];
}

/** Waits until none of the locks is held or waited for [L7]. */
export async function allFree(fixture: Fixture, ids: readonly string[]): Promise<void> {
  for (const id of ids) await fixture.becomesFree(id);
}

export async function isFree(store: Store, id: string): Promise<boolean> {
  return (await store.lock(id).inspect()) === null;
}

/** How many processes wait for the lock. */
export async function waitersOf(store: Store, id: string): Promise<number> {
  return (await store.lock(id).inspect())?.waiters ?? 0;
}
