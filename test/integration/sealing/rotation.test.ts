// Keys that are replaced while values sealed with them are stored, and records of once and leader under them.

import { describe, expect, test } from "vitest";

import { sealed, type Serializer, type State } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { backendNames, newKey, storesOn, type TestKey } from "./stores.ts";

interface Count {
  n: number;
}
const [first, second] = [newKey("2026-10"), newKey("2026-11.b")];
const sealing = (...keys: TestKey[]): Serializer => sealed("json", { keys });

/** Of the key that a value is sealed with. */
function keyIdOf(bytes: Uint8Array | undefined): string {
  const [, length = 0] = bytes ?? [];
  return Buffer.from(bytes?.subarray(2, 2 + length) ?? []).toString("latin1");
}

describe.each(backendNames)("on %s", (name) => {
  const stores = storesOn(name);

  test("a value is read with every key, and sealed with the first at the next save", async () => {
    const raw = stores.raw("saved");
    await stores
      .open({ serializer: sealing(first) })
      .state<Count>("saved")
      .save({ n: 1 });
    expect(keyIdOf(await raw.load())).toBe("2026-10");
    const state = stores.open({ serializer: sealing(second, first) }).state<Count>("saved");
    expect(await state.load()).toEqual({ n: 1 });
    expect(keyIdOf(await raw.load())).toBe("2026-10"); // a read writes nothing
    await state.save({ n: 2 });
    expect(keyIdOf(await raw.load())).toBe("2026-11.b");
  });

  test.each(["update", "run", "transact"] as const)(
    "%s that changes nothing seals an old value again, once, and keeps its expiry",
    async (call) => {
      const id = `resealed-${call}`;
      const raw = stores.raw(id);
      await stores
        .open({ serializer: sealing(first) })
        .state<Count>(id)
        .save({ n: 1 }, { ttlMs: 60_000 });
      const store = stores.open({ serializer: sealing(second, first) });
      const state = store.state<Count>(id, { ttlMs: 3_600_000 });
      const change = async (): Promise<unknown> => {
        if (call === "transact") return store.transact([state], () => undefined);
        return call === "run" ? state.run(() => undefined) : state.update(() => undefined);
      };
      const before = await state.read();
      await change();
      const after = await state.read();
      expect(keyIdOf(await raw.load())).toBe("2026-11.b");
      expect(after?.value).toEqual({ n: 1 });
      expect(after?.revision).toBeGreaterThan(before?.revision ?? NaN);
      expect(after?.expiresInMs).toBeLessThanOrEqual(60_000);
      await change();
      expect((await state.read())?.revision).toBe(after?.revision);
      expect(
        await stores
          .open({ serializer: sealing(second) })
          .state(id)
          .load(),
      ).toEqual({ n: 1 });
    },
  );

  test("an unchanged value is not saved, although it would be sealed as other bytes", async () => {
    const state = stores.open({ serializer: sealing(first) }).state<Count>("unchanged");
    const revision = await state.save({ n: 1 });
    const raw = stores.raw("unchanged");
    const bytes = await raw.load();
    await state.update(() => ({ n: 1 }));
    await state.run(() => undefined);
    expect(await raw.read()).toMatchObject({ revision, value: bytes });
    await state.save({ n: 1 });
    expect(await raw.load()).not.toEqual(bytes);
  });

  test("a state without a seal is sealed by its next save, and a sealed one laid open", async () => {
    const store = stores.open();
    await store.state<Count>("clear").save({ n: 1 }, { ttlMs: 60_000 });
    const serializer = sealing(first);
    const state = store.state<Count>("clear", { serializer, previousSerializers: ["json"] });
    expect(await state.load()).toEqual({ n: 1 });
    await state.update(() => undefined);
    expect(keyIdOf(await stores.raw("clear").load())).toBe("2026-10");
    expect((await state.read())?.expiresInMs).toBeLessThanOrEqual(60_000);
    expect(await store.state("clear", { serializer }).load()).toEqual({ n: 1 });
    await expect(store.state("clear").load()).rejects.toMatchObject({ code: "CORRUPT_STATE" });

    const open = store.state<Count>("clear", { previousSerializers: [serializer] });
    await open.update(() => undefined);
    expect(await store.state("clear").load()).toEqual({ n: 1 });
  });

  test("a missing key is named, and nothing is written", async () => {
    const raw = stores.raw("missing");
    await stores
      .open({ serializer: sealing(first) })
      .state<Count>("missing")
      .save({ n: 1 });
    const before = await raw.read();
    const state = stores.open({ serializer: sealing(second) }).state<Count>("missing");
    for (const call of [() => state.load(), () => state.update(() => ({ n: 2 }))]) {
      await expect(call()).rejects.toMatchObject({ code: "SEAL", id: "missing", keyId: "2026-10" });
      await expect(call()).rejects.toThrow(
        '"2026-10", which is not among the keys of this process ("2026-11.b")',
      );
    }
    expect(await raw.read()).toMatchObject({ revision: before?.revision, value: before?.value });
  });

  test("another key with the same id is refused, without a missing key", async () => {
    await stores
      .open({ serializer: sealing(first) })
      .state<Count>("same-id")
      .save({ n: 1 });
    const state = stores.open({ serializer: sealing(newKey("2026-10")) }).state<Count>("same-id");
    await expect(state.update(() => ({ n: 2 }))).rejects.toMatchObject({ code: "SEAL", keyId: undefined });
  });

  test("many updates at once, of processes with the keys in another order, lose none", async () => {
    const raced = (...keys: TestKey[]): State<Count, Count> =>
      stores.open({ serializer: sealing(...keys) }).state("raced", { initial: () => ({ n: 0 }) });
    const [a, b] = [raced(first, second), raced(second, first)];
    const increments = Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? a : b).update((draft) => void (draft.n += 1)),
    );
    await Promise.all(increments);
    expect(await a.load()).toEqual({ n: 40 });
  });

  test("[O1] the record of a once is sealed, and refused if its key is missing: the function is not called", async () => {
    const once = stores.open({ serializer: sealing(first) }).once("paid", { keepMs: 60_000 });
    expect(await once.run(() => "secret result")).toBe("secret result");
    const again = stores.open({ serializer: sealing(second, first) }).once("paid", { keepMs: 60_000 });
    expect(await again.run(() => "other")).toBe("secret result");
    let calls = 0;
    const without = stores.open({ serializer: sealing(second) }).once("paid", { keepMs: 60_000 });
    await expect(without.run(() => calls++)).rejects.toMatchObject({ code: "SEAL", keyId: "2026-10" });
    expect(calls).toBe(0);
  });

  test("what a leader proclaims is sealed", async () => {
    const leader = stores.open({ serializer: sealing(first) }).leader<string>("boss");
    const other = stores.open({ serializer: sealing(second, first) }).leader<string>("boss");
    const without = stores.open({ serializer: sealing(second) }).leader<string>("boss");
    await leader.run(
      async () => {
        await poll(async () => (await other.current())?.value).toBe("secret address");
        await expect(without.current()).rejects.toMatchObject({ code: "SEAL", keyId: "2026-10" });
      },
      { value: "secret address" },
    );
  });

  test("in a store of texts, once and leader keep sealed JSON", async () => {
    const store = stores.open({ serializer: sealed("text", { keys: [first] }) });
    await store.state("words").save("plain words");
    expect(await store.state("words").load()).toBe("plain words");
    expect(await store.once("counted", { keepMs: 60_000 }).run(() => ({ n: 1 }))).toEqual({ n: 1 });
    const term = await store.leader("talker").run(() => store.leader("talker").current(), { value: [1] });
    expect(term?.value).toEqual([1]);
  });
});
