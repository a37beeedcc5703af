/** `deleteAll` of a store: all states under a prefix, and nothing left out in silence. */
import { strict as assert } from "node:assert";
import { eventually, rejectsWith, stillPending } from "../../assertions.ts";
import { failBefore } from "../../faults.ts";
import type { Fixture } from "../../fixture.ts";
import { needing, proof, type Case } from "../../suite.ts";

function idsOf(fixture: Fixture, count: number): { readonly idPrefix: string; readonly ids: string[] } {
  const idPrefix = `${fixture.id()}:`;
  return { idPrefix, ids: Array.from({ length: count }, (_, index) => `${idPrefix}${String(index)}`) };
}

const entriesOf = (ids: readonly string[]) => ids.map((id) => ({ id, value: id }));

export const deleteAllCases: readonly Case[] = [
  proof("[S2] deletes what begins with the prefix, in pages, and nothing else", async (fixture) => {
    const [one, two] = await fixture.stores(2);
    const { idPrefix, ids } = idsOf(fixture, 1_200);
    const beside = idPrefix.slice(0, -1);
    await one.saveMany(entriesOf([...ids, beside]));
    const once = one.once(`${idPrefix}x`, { keepMs: 60_000 });
    await once.run(() => 1);
    await one.semaphore(`${idPrefix}x`, { permits: 2 }).acquire();
    assert.equal(await two.deleteAll({ idPrefix }), ids.length);
    assert.ok((await one.loadMany(ids)).every(({ revision }) => revision === null));
    assert.equal(await one.state(beside).load(), beside);
    assert.deepEqual(await once.peek(), { value: 1 });
    assert.equal((await one.semaphore(`${idPrefix}x`).inspect())?.used, 1);
    assert.equal(await two.deleteAll({ idPrefix }), 0);
    await rejectsWith(one.deleteAll({} as never), "INVALID_ARGUMENT");
    await rejectsWith(one.deleteAll(undefined as never), "INVALID_ARGUMENT");
  }),
  proof("[S8] a state whose lock is held waits for its turn, and later pages go on", async (fixture) => {
    const [holder, store] = await fixture.stores(2);
    const { idPrefix, ids } = idsOf(fixture, 700);
    await holder.saveMany(entriesOf(ids));
    const held = ids.filter((_, index) => index % 200 === 1);
    const grant = await holder.lockAll(held).acquire();
    const deleting = store.deleteAll({ idPrefix });
    await stillPending(deleting);
    const left = async (): Promise<string[]> =>
      (await holder.loadMany<string>(ids)).flatMap(({ value }) => value ?? []);
    await eventually(async () => assert.deepEqual(await left(), held));
    await grant.release();
    assert.equal(await deleting, ids.length);
    assert.deepEqual(await left(), []);
  }),
  proof("[S8] one that waits too long is reported, with how many were deleted", async (fixture) => {
    const [holder, store] = await fixture.stores(2);
    const { idPrefix, ids } = idsOf(fixture, 20);
    const [held = ""] = ids;
    await holder.saveMany(entriesOf(ids));
    const grant = await holder.lock(held).acquire();
    const error = await rejectsWith(store.deleteAll({ idPrefix, waitMs: 20 }), "LOCK_TIMEOUT");
    assert.match(error.message, /deleted 19 states; not deleted: /);
    assert.ok(error.message.includes(JSON.stringify(held)));
    assert.equal(await holder.state(held).load(), held);
    await grant.release();
    assert.equal(await store.deleteAll({ idPrefix }), 1);
  }),
  proof("[S4] deletes under a grant of the caller, as its message advises", async (fixture) => {
    const store = await fixture.store();
    const { idPrefix, ids } = idsOf(fixture, 600);
    const [held = "", other = ""] = ids;
    await store.saveMany(entriesOf(ids));
    const grant = await store.lock(held).acquire();
    const error = await rejectsWith(store.deleteAll({ idPrefix: held, waitMs: 20 }), "LOCK_TIMEOUT");
    assert.match(error.message, /pass \{ grant \}/);
    assert.doesNotMatch(error.message, /\d\.\d+ ms/);
    await rejectsWith(store.deleteAll({ idPrefix: other, grant }), "INVALID_ARGUMENT");
    assert.equal(await store.deleteAll({ idPrefix, grant, waitMs: 0 }), ids.length);
    assert.equal(await grant.release(), true);
  }),
  needing(["putGarbage"], "[S6] what is no state stays, and is reported if it is listed", async (fixture) => {
    const store = await fixture.store();
    const { idPrefix, ids } = idsOf(fixture, 3);
    const [, bad = ""] = ids;
    await store.saveMany(entriesOf(ids));
    await fixture.hook("putGarbage")(bad);
    const error = await rejectsWith(store.deleteAll({ idPrefix }), "CORRUPT_STATE");
    assert.match(error.message, /deleted 2 states; not deleted: /);
    assert.ok(error.message.includes(JSON.stringify(bad)));
    const [one, two, three] = await store.loadMany(ids);
    assert.deepEqual([one?.revision, two?.error?.code, three?.revision], [null, "CORRUPT_STATE", null]);
  }),
  proof("[S5] an outage ends it, and says how many were deleted before", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 500 });
    const { idPrefix, ids } = idsOf(fixture, 1_100);
    await store.saveMany(entriesOf(ids));
    let pages = 0;
    faults.always("listStates", (call) => (++pages === 1 ? call.carryOut() : failBefore()(call)));
    const error = await rejectsWith(store.deleteAll({ idPrefix }), "UNREACHABLE");
    assert.match(error.message, /deleteAll\(\) deleted \d+ states and did not reach the end/);
    assert.equal(error.outcome, "unknown");
  }),
];
