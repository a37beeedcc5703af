// Of schemas, versions and migrations: what must compile and what must not; checked by `npm run types`, never run.

/* eslint-disable @typescript-eslint/no-unused-vars -- used for their types */

import { type } from "arktype";
import {
  ValidationError,
  VersionError,
  type Schema,
  type SchemaOutput,
  type State,
  type Store,
  type ValidationIssue,
} from "holdfast";
import * as v from "valibot";
import { z } from "zod";

import { same } from "./same-type.ts";

interface Item {
  name: string;
  price: number;
}
interface Cart {
  items: Item[];
}

export async function inferredFromSchemas(store: Store) {
  const ofZod = z.object({ items: z.array(z.object({ name: z.string(), price: z.number() })) });
  same<SchemaOutput<typeof ofZod>, Cart>(true);
  const zod = store.state("cart", { schema: ofZod });
  same<typeof zod, State<Cart>>(true);
  const withInitial = store.state("cart", { schema: ofZod, initial: () => ({ items: [] }) });
  same<typeof withInitial, State<Cart, Cart>>(true);
  await withInitial.update((draft) => void draft.items.push({ name: "tea", price: 5 }));
  // @ts-expect-error -- not an item
  await withInitial.update((draft) => void draft.items.push({ name: "tea" }));
  // @ts-expect-error -- not a cart
  await zod.save({ items: [{ name: "tea", price: "5" }] });
  // @ts-expect-error -- does not fit the schema
  store.state("cart", { schema: ofZod, initial: () => ({ items: 0 }) });

  const valibot = store.state("cart", {
    schema: v.object({ items: v.array(v.object({ name: v.string(), price: v.number() })) }),
  });
  same<typeof valibot, State<Cart>>(true);
  const arktype = store.state("cart", {
    schema: type({ items: type({ name: "string", price: "number" }).array() }),
    initial: () => ({ items: [] }),
  });
  same<typeof arktype, State<Cart, Cart>>(true);
  const [total] = await store.transact([withInitial], ([draft]) => draft.items.map(({ price }) => price));
  same<typeof total, number | undefined>(true);
}

export function outputAndInput(store: Store, anySchema: Schema, own: Schema<unknown, Cart>) {
  const counted = store.state("n", { schema: z.object({ n: z.number().default(0) }) });
  same<typeof counted, State<{ n: number }>>(true); // the output is a possible input
  const trimmed = store.state("n", { schema: z.string().trim() });
  same<typeof trimmed, State<string>>(true);
  // @ts-expect-error -- it does not accept what it makes
  store.state("n", { schema: z.string().transform(Number) });
  // @ts-expect-error -- nor does this
  store.state("n", { schema: v.pipe(v.string(), v.transform(Number)) });
  const unknown = store.state("n", { schema: anySchema });
  same<typeof unknown, State<unknown>>(true);
  const cart = store.state("n", { schema: own });
  same<typeof cart, State<Cart>>(true);
  // @ts-expect-error -- a property is missing
  store.state("n", { schema: z.object({ a: z.number(), b: z.number() }), initial: () => ({ a: 1 }) });
  // @ts-expect-error -- not a schema
  store.state("n", { schema: { parse: () => 1 } });
}

export function versions(store: Store) {
  const migrate = {
    1: ({ name }: { name: string }) => ({ first: name }),
    2: (value: unknown) => value,
  };
  const state = store.state<{ first: string }>("user", { version: 3, migrate });
  same<typeof state, State<{ first: string }>>(true);
  const withSchema = store.state("user", {
    schema: z.object({ first: z.string() }),
    version: 2,
    migrate: { 1: (name: string) => ({ first: name }) },
    serializer: "pickle",
    previousSerializers: ["json"],
    initial: () => ({ first: "" }),
  });
  same<typeof withSchema, State<{ first: string }, { first: string }>>(true);
  // @ts-expect-error -- a function for each version
  store.state("user", { version: 2, migrate: { 1: "rename" } });
  // @ts-expect-error -- a number
  store.state("user", { version: "2" });
  // @ts-expect-error -- no such serializer
  store.state("user", { previousSerializers: ["xml"] });
}

export function errors(error: unknown) {
  if (error instanceof ValidationError) {
    same<typeof error.code, "VALIDATION">(true);
    same<typeof error.issues, readonly ValidationIssue[]>(true);
    same<typeof error.stored, boolean>(true);
  }
  if (error instanceof VersionError) {
    same<typeof error.code, "VERSION">(true);
    same<typeof error.storedVersion, number>(true);
  }
}

export async function listing(store: Store) {
  for await (const info of store.states()) {
    same<typeof info.version, number>(true);
    same<typeof info.serializer, string>(true);
  }
}
