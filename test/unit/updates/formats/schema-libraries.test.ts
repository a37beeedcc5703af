// Schemas of zod, valibot and arktype: what they refuse is refused with the place in the value, and what they make of a
// value is stored.

import { type } from "arktype";
import * as v from "valibot";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";

import { open, ValidationError, type Schema } from "../../../../src/index.ts";

const store = open("memory:");
afterAll(() => store.close());

interface Cart {
  items: { name: string; price: number }[];
  note: string;
}

const carts: Readonly<Record<string, Schema<unknown, Cart>>> = {
  zod: z.object({
    items: z.array(z.object({ name: z.string(), price: z.number() })),
    note: z.string().default("none"),
  }),
  valibot: v.object({
    items: v.array(v.object({ name: v.string(), price: v.number() })),
    note: v.optional(v.string(), "none"),
  }),
  arktype: type({
    items: type({ name: "string", price: "number" }).array(),
    note: "string = 'none'",
  }),
};

describe.each(Object.entries(carts))("%s", (name, schema) => {
  const id = `cart:${name}`;
  const cart = store.state(id, { schema, initial: () => ({ items: [], note: "" }) });
  const item = { name: "tea", price: 5 };

  test("[S6] an issue says where it is, by keys and indexes", async () => {
    await cart.save({ items: [item], note: "mine" });
    const error: unknown = await cart
      .update((draft) => void draft.items.push({ name: "cup", price: "7" as unknown as number }))
      .catch((reason: unknown) => reason);
    if (!(error instanceof ValidationError)) throw error;
    expect(error).toMatchObject({ code: "VALIDATION", outcome: "none", id, stored: false });
    expect(error.issues.map(({ path }) => path)).toEqual([["items", 1, "price"]]);
    expect(error.message).toContain(`"${id}" does not fit its schema: $.items[1].price: `);
    expect(await cart.load()).toEqual({ items: [item], note: "mine" });
  });

  test("a default of the schema is stored, and given to what was stored before", async () => {
    await cart.save({ items: [item] } as unknown as Cart);
    expect(await store.state(id).load()).toEqual({ items: [item], note: "none" });
    await store.state(id).save({ items: [] });
    expect(await cart.load()).toEqual({ items: [], note: "none" });
    expect(await store.state(id).load()).toEqual({ items: [] });
    await cart.update(() => undefined);
    expect(await store.state(id).load()).toEqual({ items: [], note: "none" });
  });
});

describe("schemas that a state cannot use", () => {
  const code = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => "none",
      (error: unknown) => [(error as ValidationError).code, (error as Error).message],
    );

  test.each([
    ["zod", z.number().refine(async () => Promise.resolve(true))],
    [
      "valibot",
      v.pipeAsync(
        v.number(),
        v.checkAsync(async () => Promise.reject(new Error("late"))),
      ),
    ],
  ])("an asynchronous one of %s is refused, and its promise leaves no trace", async (_, schema) => {
    const state = store.state("async", { schema: schema });
    expect(await code(state.save(1))).toEqual([
      "INVALID_ARGUMENT",
      expect.stringContaining('schema of the state "async" validates asynchronously'),
    ]);
    expect(await store.state("async").read()).toBeUndefined();
  });

  test("one that does not accept, or changes, what it has made", async () => {
    const toNumber = z.string().transform(Number) as unknown as Schema;
    const plusOne = z.number().transform((n) => n + 1) as unknown as Schema;
    expect(await code(store.state("t", { schema: toNumber }).save("1"))).toEqual([
      "VALIDATION",
      expect.stringContaining("does not accept what it made itself ($: "),
    ]);
    expect(await code(store.state("t", { schema: plusOne }).save(1))).toEqual([
      "VALIDATION",
      expect.stringContaining("changes what it made itself"),
    ]);
    expect(await store.state("t").read()).toBeUndefined();
    const trim = z.string().trim() as Schema;
    await store.state("t", { schema: trim }).save("  x ");
    expect(await store.state("t").load()).toBe("x");
  });

  test("one that throws, or answers nonsense, says so with the id", async () => {
    const answering = (validate: () => unknown): Schema =>
      ({ "~standard": { version: 1, vendor: "test", validate } }) as unknown as Schema;
    const cause = new TypeError("broken");
    const broken = answering(() => {
      throw cause;
    });
    const error: unknown = await store
      .state("t", { schema: broken })
      .save(1)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "VALIDATION",
      cause,
      message: expect.stringContaining('"t" failed: broken') as string,
    });
    for (const nonsense of [undefined, null, {}, { issues: 5 }])
      expect(await code(store.state("t", { schema: answering(() => nonsense) }).save(1))).toEqual([
        "INVALID_ARGUMENT",
        expect.stringContaining("does not implement Standard Schema"),
      ]);
  });

  test("of many issues, the message names three", async () => {
    const schema = z.record(z.string(), z.number()) as Schema<unknown, Record<string, number>>;
    const wrong = { a: "1", b: "2", c: "3", d: "4", "e f": "5" } as unknown as Record<string, number>;
    const error: unknown = await store
      .state("many", { schema })
      .save(wrong)
      .catch((reason: unknown) => reason);
    if (!(error instanceof ValidationError)) throw error;
    expect(error.message).toMatch(/\$\.a: .*; \$\.b: .*; \$\.c: .*; and 2 more\. Nothing was saved/);
    expect(error.issues).toHaveLength(5);
  });
});
