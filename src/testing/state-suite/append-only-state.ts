/** A state that is only appended to, so that it shows every change that was made. */
import { strict as assert } from "node:assert";
import { eventually } from "../assertions.ts";
import type { Fixture } from "../fixture.ts";

export interface Log {
  ids: string[];
}

export const emptyLog = (): Log => ({ ids: [] });
export const add =
  (name: string): ((draft: Log) => void) =>
  (draft) =>
    void draft.ids.push(name);

/** A log and a call of another store that makes it expire, and waits until it has. */
export async function expiring(fixture: Fixture, id: string): Promise<() => Promise<void>> {
  const other = (await fixture.store()).state(id, { initial: emptyLog });
  return async () => {
    await other.touch(1);
    await eventually(async () => assert.equal(await other.read(), undefined));
  };
}
