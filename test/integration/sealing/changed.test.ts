// Sealed values that were changed outside: refused with a code of their own, and left as they are [S6].

import { describe, expect, test } from "vitest";

import { sealed, SealError, type Store } from "../../../src/index.ts";
import { backendNames, newKey, storesOn } from "./stores.ts";

interface Account {
  left: number;
}
const key = newKey("k1");
const serializer = sealed("json", { keys: [key] });

/** Each call that would have to read the value. */
const readers: Readonly<Record<string, (store: Store, id: string) => Promise<unknown>>> = {
  load: (store, id) => store.state(id).load(),
  read: (store, id) => store.state(id).read(),
  update: (store, id) => store.state(id).update(() => ({ left: 0 })),
  run: (store, id) => store.state<Account>(id).run((draft) => void Object.assign(draft ?? {}, { left: 0 })),
  "update under a lock": (store, id) =>
    store.lock(id).run(() => store.state<Account>(id).update(() => ({ left: 0 }))),
  transact: (store, id) =>
    store.transact([store.state<Account>(id), store.state<Account>(`${id}-other`)], (drafts) => {
      drafts[0] = drafts[1] = { left: 0 };
    }),
};

describe.each(backendNames)("[S6] on %s", (name) => {
  const stores = storesOn(name);

  test("a value with one byte changed, whichever it is, is refused by load", async () => {
    const store = stores.open({ serializer });
    const raw = stores.raw("flipped");
    await store.state<Account>("flipped").save({ left: 5 });
    const bytes = (await raw.load()) ?? new Uint8Array();
    expect(bytes).toHaveLength(1 + 1 + 2 + 12 + '{"left":5}'.length + 16);
    for (const at of bytes.keys()) {
      await raw.save(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)));
      await expect(store.state("flipped").load(), `byte ${at}`).rejects.toMatchObject({
        code: "SEAL",
        outcome: "none",
        id: "flipped",
        message: expect.stringContaining('"flipped" cannot be read and was left as it is') as string,
      });
    }
    await raw.save(bytes);
    expect(await store.state("flipped").load()).toEqual({ left: 5 });
  });

  test.each(Object.keys(readers))("what %s cannot read, it does not write", async (call) => {
    const store = stores.open({ serializer });
    const id = `left-${call}`;
    await store.state<Account>(id).save({ left: 5 });
    const raw = stores.raw(id);
    const bytes = (await raw.load()) ?? new Uint8Array();
    const changed = bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 0x80);
    const revision = await raw.save(changed);
    const error: unknown = await readers[call]?.(store, id).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SealError);
    expect(error).toMatchObject({ code: "SEAL", id, keyId: undefined });
    expect(await raw.read()).toMatchObject({ revision, value: changed });
  });

  test("a value that was cut off anywhere is refused", async () => {
    const store = stores.open({ serializer });
    await store.state<Account>("short").save({ left: 5 });
    const raw = stores.raw("short");
    const bytes = (await raw.load()) ?? new Uint8Array();
    for (let length = 0; length < bytes.length; length++) {
      await raw.save(bytes.slice(0, length));
      await expect(store.state("short").load(), `${length} bytes`).rejects.toMatchObject({ code: "SEAL" });
    }
    await raw.save(Uint8Array.of(...bytes, 0));
    await expect(store.state("short").load(), "one more").rejects.toMatchObject({ code: "SEAL" });
  });

  test("values that were swapped between two ids are both refused", async () => {
    const store = stores.open({ serializer });
    await store.state<Account>("mine").save({ left: 5 });
    await store.state<Account>("yours").save({ left: 1_000_000 });
    const [mine, yours] = [stores.raw("mine"), stores.raw("yours")];
    const [a = new Uint8Array(), b = new Uint8Array()] = [await mine.load(), await yours.load()];
    await Promise.all([mine.save(b), yours.save(a)]);
    for (const id of ["mine", "yours"]) {
      await expect(store.state(id).update(() => ({ left: 0 }))).rejects.toMatchObject({ code: "SEAL", id });
    }
    expect([await mine.load(), await yours.load()]).toEqual([b, a]);
  });

  test("a value is not read as one of another serializer, though its name was changed", async () => {
    await stores.open({ serializer }).state<string>("renamed").save("text");
    const bytes = (await stores.raw("renamed").load()) ?? new Uint8Array();
    const store = stores.open({ serializer: sealed("text", { keys: [key] }) });
    await expect(store.state("renamed").load()).rejects.toMatchObject({
      code: "CORRUPT_STATE",
      id: "renamed",
    });
    await store.state("renamed").delete();
    await stores.raw("renamed", "sealed-text").save(bytes);
    await expect(store.state("renamed").load()).rejects.toMatchObject({ code: "SEAL", id: "renamed" });
  });

  test("an older value of the same id that was put back is read: that is not detected", async () => {
    const store = stores.open({ serializer });
    const state = store.state<Account>("replayed");
    await state.save({ left: 1_000 });
    const raw = stores.raw("replayed");
    const old = (await raw.load()) ?? new Uint8Array();
    await state.save({ left: 0 });
    await raw.save(old);
    expect(await state.load()).toEqual({ left: 1_000 });
    expect(await state.update((draft) => ({ left: (draft?.left ?? 0) - 1 }))).toEqual({ left: 999 });
  });

  test("sealed and unsealed handles refuse each other's values", async () => {
    const [closed, clear] = [stores.open({ serializer }), stores.open()];
    await closed.state<Account>("sealed").save({ left: 5 });
    await clear.state<Account>("clear").save({ left: 5 });
    for (const [store, id] of [
      [closed, "clear"],
      [clear, "sealed"],
    ] as const) {
      const corrupt = { code: "CORRUPT_STATE", id };
      await expect(store.state(id).load()).rejects.toMatchObject(corrupt);
      await expect(store.state(id).load()).rejects.toThrow(/"sealed-json".*"json"|"json".*"sealed-json"/);
      await expect(store.state(id).save({ left: 0 })).rejects.toMatchObject(corrupt);
    }
    expect(await clear.state("clear").load()).toEqual({ left: 5 });
    expect(await closed.state("sealed").load()).toEqual({ left: 5 });
  });

  test("a plain save replaces what it cannot read, as it does with damaged data: it loads nothing", async () => {
    const other = sealed("json", { keys: [newKey("other")] });
    await stores.open({ serializer: other }).state<Account>("replaced").save({ left: 5 });
    const state = stores.open({ serializer }).state<Account>("replaced");
    await expect(state.load()).rejects.toMatchObject({ code: "SEAL", keyId: "other" });
    await state.save({ left: 6 });
    expect(await state.load()).toEqual({ left: 6 });
  });
});
