/** `loadMany`, `saveMany` and `deleteMany` of a store: an answer or an error for each id, and nothing done twice. */
import { strict as assert } from "node:assert";
import type { WriteEntry } from "../../../backends/contract.ts";
import type { SaveResult } from "../../../handles/many/many.ts";
import type { Store } from "../../../store/store.ts";
import { deferred, pause, rejectsWith, stillPending } from "../../assertions.ts";
import { failBefore, LateCopy, loseReply } from "../../faults.ts";
import type { MadeCall } from "../../faulty-backend.ts";
import type { Fixture } from "../../fixture.ts";
import { needing, proof, type Case } from "../../suite.ts";

function idsOf(fixture: Fixture, count: number): string[] {
  const id = fixture.id();
  return Array.from({ length: count }, (_, index) => `${id}:${String(index)}`);
}

async function valuesOf(store: Store, ids: readonly string[]): Promise<unknown[]> {
  return (await store.loadMany(ids)).map(({ value, error }) => error?.code ?? value);
}

const saveAll = (store: Store, ids: readonly string[], value: unknown): Promise<SaveResult[]> =>
  store.saveMany(ids.map((id) => ({ id, value })));

const codesOf = (results: readonly { readonly error: { readonly code: string } | undefined }[]): unknown[] =>
  results.map(({ error }) => error?.code);

/** Of the first call that writes. */
function firstIdOf(calls: readonly MadeCall[]): string {
  const [entries = []] = (calls.find(({ method }) => method === "writeStates")?.args ?? []) as [
    WriteEntry[]?,
  ];
  return entries[0]?.id ?? "";
}

const answers: readonly Case[] = [
  proof("[S1] [S2] 3 000 states are saved, loaded in any order, and deleted", async (fixture) => {
    const [one, two] = await fixture.stores(2);
    const ids = idsOf(fixture, 3_000);
    const saved = await one.saveMany(ids.map((id, n) => ({ id, value: { n } })));
    assert.deepEqual([saved.map(({ id }) => id), new Set(codesOf(saved))], [ids, new Set([undefined])]);
    const loaded = await two.loadMany<{ n: number }>([...ids].reverse());
    assert.deepEqual(
      loaded.map(({ id, value, revision }) => [id, value?.n, revision]).reverse(),
      saved.map(({ id, revision }, n) => [id, n, revision]),
    );
    const deleted = await two.deleteMany(new Set(ids.slice(1)));
    assert.ok(deleted.every((result) => result.deleted));
    const [first = "", second = ""] = ids;
    const absent = { id: second, value: undefined, revision: null, error: undefined };
    assert.deepEqual(
      (await one.loadMany([second, first, second])).map(({ value }) => value),
      [undefined, { n: 0 }, undefined],
    );
    assert.deepEqual((await one.loadMany([second]))[0], absent);
    const again = (await one.deleteMany([first, second, first])).map(({ deleted }) => deleted);
    assert.deepEqual(again, [true, false, true]);
    assert.deepEqual(
      [await one.loadMany([]), await one.saveMany([]), await one.deleteMany([])],
      [[], [], []],
    );
  }),
  proof("[S2] a mistake in one entry: nothing is written at all", async (fixture) => {
    const store = await fixture.store();
    const [one = "", two = ""] = idsOf(fixture, 2);
    const good = { id: one, value: 1 };
    const twice = await rejectsWith(store.saveMany([good, { id: two, value: 2 }, good]), "INVALID_ARGUMENT");
    assert.ok(twice.message.includes(JSON.stringify(one)));
    const unknown = await rejectsWith(store.saveMany([good, { id: two, value: 2n }]), "SERIALIZATION");
    assert.ok(unknown.message.includes(JSON.stringify(two)));
    for (const bad of [{ id: "", value: 1 }, { id: two }, { id: two, value: 1, ttl: 5 }, null, "x"])
      await assert.rejects(store.saveMany([good, bad as typeof good]));
    await rejectsWith(store.deleteMany([one, ""]), "INVALID_ARGUMENT");
    await rejectsWith(store.loadMany(one), "INVALID_ARGUMENT");
    assert.deepEqual(await valuesOf(store, [one, two]), [undefined, undefined]);
  }),
  proof("[S2] [S7] each entry has its own revision to match, and its own time to live", async (fixture) => {
    const store = await fixture.store();
    const ids = idsOf(fixture, 3);
    const [one = "", two = "", three = ""] = ids;
    await saveAll(store, [one, two], "old");
    const results = await store.saveMany(
      [
        { id: one, value: "new", ifRevision: "absent" },
        { id: two, value: "new", ttlMs: 30_000 },
        { id: three, value: "new" },
      ],
      { ttlMs: 60_000 },
    );
    assert.deepEqual(codesOf(results), ["CONFLICT", undefined, undefined]);
    assert.ok(results[0]?.error?.message.includes(JSON.stringify(one)));
    assert.deepEqual(await valuesOf(store, ids), ["old", "new", "new"]);
    const lives = await Promise.all(ids.map(async (id) => (await store.state(id).read())?.expiresInMs ?? 0));
    assert.ok(lives[0] === 0 && (lives[1] ?? 0) <= 30_000 && (lives[2] ?? 0) > 30_000, lives.join());
  }),
  proof("[S6] states of another serializer: an error of their own, and they stay", async (fixture) => {
    const store = await fixture.store();
    const ids = idsOf(fixture, 2);
    const [one = "", two = ""] = ids;
    await store.state<string>(one, { serializer: "pickle" }).save("pickled");
    assert.deepEqual(codesOf(await saveAll(store, ids, "new")), ["CORRUPT_STATE", undefined]);
    assert.deepEqual(await valuesOf(store, ids), ["CORRUPT_STATE", "new"]);
    const [pickled, json] = await store.loadMany(ids, { serializer: "pickle" });
    assert.deepEqual([pickled?.value, json?.error?.code], ["pickled", "CORRUPT_STATE"]);
    assert.ok(json?.error?.message.includes(JSON.stringify(two)));
  }),
  needing(
    ["putGarbage"],
    "[S1] [S6] what is no state: an error of its own, and it stays",
    async (fixture) => {
      const store = await fixture.store();
      const ids = idsOf(fixture, 3);
      await fixture.hook("putGarbage")(ids[1] ?? "");
      assert.deepEqual(codesOf(await saveAll(store, ids, 1)), [undefined, "CORRUPT_STATE", undefined]);
      assert.deepEqual(await valuesOf(store, ids), [1, "CORRUPT_STATE", 1]);
      assert.deepEqual(codesOf(await store.deleteMany(ids)), [undefined, "CORRUPT_STATE", undefined]);
      assert.deepEqual(await valuesOf(store, ids), [undefined, "CORRUPT_STATE", undefined]);
    },
  ),
];

const locked: readonly Case[] = [
  proof("[S8] what is locked waits for its turn, and the others are saved at once", async (fixture) => {
    const [holder, writer] = await fixture.stores(2);
    const ids = idsOf(fixture, 3);
    const [one = "", two = "", three = ""] = ids;
    const grant = await holder.lock(two).acquire();
    const saving = saveAll(writer, ids, "mine");
    await stillPending(saving);
    assert.deepEqual(await valuesOf(holder, ids), ["mine", undefined, "mine"]);
    await holder.state(two).save("theirs", { grant });
    await grant.release();
    const results = await saving;
    assert.deepEqual(codesOf(results), [undefined, undefined, undefined]);
    assert.equal((await writer.state(two).read())?.revision, results[1]?.revision);
    assert.deepEqual(await valuesOf(holder, [one, two, three]), ["mine", "mine", "mine"]);
  }),
  proof("[S8] one that waits too long fails alone, and is not written", async (fixture) => {
    const [holder, writer] = await fixture.stores(2);
    const ids = idsOf(fixture, 3);
    const [, two = ""] = ids;
    const grant = await holder.lock(two).acquire();
    for (const waitMs of [0, 20]) {
      const entries = ids.map((id) => ({ id, value: waitMs }));
      const results = await writer.saveMany(entries, { waitMs });
      assert.deepEqual(codesOf(results), [undefined, "LOCK_TIMEOUT", undefined]);
      assert.ok(results[1]?.error?.message.includes(JSON.stringify(two)));
      assert.deepEqual(codesOf(await writer.deleteMany([two], { waitMs })), ["LOCK_TIMEOUT"]);
    }
    await grant.release();
    await fixture.becomesFree(two);
    assert.deepEqual(await valuesOf(holder, ids), [20, undefined, 20]);
  }),
  proof("[S8] [S4] ids whose locks the caller holds are written under its grants", async (fixture) => {
    const store = await fixture.store({ waitMs: 100 });
    const ids = idsOf(fixture, 3);
    const [one = "", two = "", three = ""] = ids;
    await store.lock(one).run(async () => {
      assert.deepEqual(codesOf(await saveAll(store, ids, "inside")), [undefined, undefined, undefined]);
    });
    const grant = await store.lockAll([one, two]).acquire();
    assert.deepEqual(codesOf(await saveAll(store, ids, "x")), ["LOCK_TIMEOUT", "LOCK_TIMEOUT", undefined]);
    const entries = ids.map((id) => ({ id, value: "under it" }));
    assert.deepEqual(codesOf(await store.saveMany(entries, { grant })), [undefined, undefined, undefined]);
    await grant.release();
    const late = await store.saveMany(entries, { grant });
    assert.deepEqual(codesOf(late), ["LOCK_LOST", "LOCK_LOST", undefined]);
    assert.deepEqual(await valuesOf(store, ids), ["under it", "under it", "under it"]);
    await rejectsWith(store.deleteMany([three], { grant }), "INVALID_ARGUMENT");
  }),
  proof("[S4] work that has outlived its lock is refused for that id, and only for it", async (fixture) => {
    const store = await fixture.store();
    const [one = "", two = ""] = idsOf(fixture, 2);
    const { promise: ended, resolve: end } = deferred();
    let late: Promise<SaveResult[]> | undefined;
    await store.lock(one).run(() => {
      late = ended.then(() => saveAll(store, [one, two], "late"));
    });
    end();
    assert.deepEqual(codesOf((await late) ?? []), ["LOCK_LOST", undefined]);
    assert.deepEqual(await valuesOf(store, [one, two]), [undefined, "late"]);
  }),
  proof("[S3] [S8] inside the function of an update of one of them, it is a mistake", async (fixture) => {
    const store = await fixture.store();
    const [one = "", two = ""] = idsOf(fixture, 2);
    const updating = store.state(one, { initial: () => 0 }).update(async () => {
      await saveAll(store, [two, one], 1);
    });
    await rejectsWith(updating, "INVALID_ARGUMENT");
    assert.deepEqual(await valuesOf(store, [one, two]), [undefined, undefined]);
  }),
  proof("[L7] a signal ends the call, and nothing is left in the queue", async (fixture) => {
    const [holder, writer] = await fixture.stores(2);
    const [one = "", two = ""] = idsOf(fixture, 2);
    const grant = await holder.lock(two).acquire();
    const controller = new AbortController();
    const entries = [one, two].map((id) => ({ id, value: 1 }));
    const saving = writer.saveMany(entries, { signal: controller.signal });
    await stillPending(saving);
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(saving, (error) => error === reason);
    await assert.rejects(
      writer.saveMany(entries, { signal: controller.signal }),
      (error) => error === reason,
    );
    await grant.release();
    await fixture.becomesFree(two);
    assert.deepEqual(await valuesOf(holder, [one, two]), [1, undefined]);
  }),
];

const lost: readonly Case[] = [
  proof("[S5] a lost reply: every state is saved once, with its first revision", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const rival = await fixture.store();
    const ids = idsOf(fixture, 600);
    let theirs = "";
    const rivalSaves = async (): Promise<void> => {
      theirs = firstIdOf(faults.calls);
      await rival.state(theirs).save("theirs");
    };
    faults.once("writeStates", loseReply(rivalSaves));
    const results = await store.saveMany(ids.map((id) => ({ id, value: id, ifRevision: "absent" as const })));
    assert.deepEqual(new Set(codesOf(results)), new Set([undefined]));
    assert.deepEqual(
      await valuesOf(rival, ids),
      ids.map((id) => (id === theirs ? "theirs" : id)),
    );
    for (const [n, { id, revision = 0 }] of (await rival.loadMany(ids)).entries()) {
      const saved = results[n]?.revision ?? 0;
      assert.ok(id === theirs ? (revision ?? 0) > saved : revision === saved, id);
    }
    faults.once("writeStates", loseReply());
    assert.ok((await store.deleteMany(ids)).every(({ deleted }) => deleted));
  }),
  proof("[S5] a first copy that arrives late changes nothing", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const rival = await fixture.store();
    const [one = "", two = ""] = idsOf(fixture, 2);
    const copy = new LateCopy();
    faults.once("writeStates", copy.fault);
    await saveAll(store, [one, two], "mine");
    await saveAll(rival, [one, two], "theirs");
    await copy.deliver();
    assert.deepEqual(await valuesOf(rival, [one, two]), ["theirs", "theirs"]);
  }),
  proof(
    "[S5] [S1] no answer at all: the call rejects, and says whether it may have been carried out",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
      const [one = "", two = ""] = idsOf(fixture, 2);
      const never = faults.always("any", failBefore("none"));
      assert.equal((await rejectsWith(saveAll(store, [one, two], 1), "UNREACHABLE")).outcome, "none");
      assert.equal((await rejectsWith(store.loadMany([one, two]), "UNREACHABLE")).outcome, "none");
      never.cancel();
      const silent = faults.always(
        "writeStates",
        loseReply(() => pause(5)),
      );
      assert.equal((await rejectsWith(saveAll(store, [one, two], 2), "UNREACHABLE")).outcome, "unknown");
      silent.cancel();
      assert.deepEqual(await valuesOf(store, [one, two]), [2, 2]);
    },
  ),
];

export const manyCases: readonly Case[] = [...answers, ...locked, ...lost];
