// Of states and stateful functions: what must compile and what must not; checked by `npm run types`, never run.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unused-expressions -- used for their types */
/* eslint-disable @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-confusing-void-expression -- wrong on purpose */

import type {
  AnyState,
  Grant,
  Revision,
  Snapshot,
  State,
  Store,
  TransactContext,
  UpdateContext,
} from "holdfast";
import { same } from "./same-type.ts";

interface Stock {
  left: number;
  name?: string;
}

export async function severalStates(store: Store) {
  const stock = store.state("stock", { initial: () => ({ left: 500 }) });
  const count = store.state<number>("count");
  const sold = await store.transact([stock, count], (drafts, context) => {
    same<typeof drafts, [{ left: number }, number | undefined]>(true);
    same<typeof context, TransactContext>(true);
    same<typeof context.fences, Readonly<Record<string, number>>>(true);
    drafts[1] = undefined;
    context.delete(stock);
    // @ts-expect-error -- of another type
    drafts[0] = 5;
    // @ts-expect-error -- with an initial value it is never absent: context.delete()
    drafts[0] = undefined;
    return "sold";
  });
  same<typeof sold, string>(true);
  const async = await store.transact([stock], async ([draft]) => draft.left, { waitMs: 5, maxHoldMs: 1_000 });
  same<typeof async, number>(true);
  const list: State<number>[] = [count];
  await store.transact(list, (drafts) => same<typeof drafts, (number | undefined)[]>(true));
  const states: readonly AnyState[] = [stock, count];
  await store.transact(states, (drafts) => drafts.length);
  // @ts-expect-error -- not a state
  await store.transact([stock, store.lock("x")], () => 1);
  // @ts-expect-error -- not a state
  await store.transact(["stock"], () => 1);
}

export async function withInitial(store: Store, grant: Grant) {
  const stock = store.state("stock", { initial: () => ({ left: 500 }) });
  same<typeof stock, State<{ left: number }, { left: number }>>(true);
  same<Awaited<ReturnType<typeof stock.load>>, { left: number }>(true);
  same<Awaited<ReturnType<typeof stock.read>>, Snapshot<{ left: number }> | undefined>(true);

  const after = await stock.update((draft, turn) => {
    same<typeof draft, { left: number }>(true);
    same<typeof turn, UpdateContext>(true);
    same<typeof turn.fence, number>(true);
    same<typeof turn.signal, AbortSignal>(true);
    draft.left -= 1;
  });
  same<typeof after, { left: number }>(true);
  await stock.update(() => ({ left: 5 }));
  await stock.update(async (draft) => {
    draft.left = await Promise.resolve(1);
  });
  await stock.update(async () => ({ left: 5 }), {
    grant,
    waitMs: 5,
    ttlMs: "keep",
    signal: AbortSignal.abort(),
  });

  same<Awaited<ReturnType<typeof stock.save>>, Revision>(true);
  same<Awaited<ReturnType<typeof stock.trySave>>, Revision | null>(true);
  same<Awaited<ReturnType<typeof stock.touch>>, boolean>(true);
  same<Awaited<ReturnType<typeof stock.delete>>, boolean>(true);
  same<Awaited<ReturnType<typeof stock.tryDelete>>, boolean | null>(true);
  same<Awaited<ReturnType<typeof stock.take>>, { left: number } | undefined>(true);
  same<Awaited<ReturnType<typeof stock.exists>>, boolean>(true);
  await stock.save({ left: 1 }, { ifRevision: "absent", ttlMs: 1_000, grant });
  await stock.trySave({ left: 1 }, { ifRevision: 5, ttlMs: "none" });
  await stock.update(() => ({ left: 1 }), { ttlMs: { whenNew: 60_000 } });
  await stock.delete({ ifRevision: 5 });

  // @ts-expect-error -- of another type
  await stock.save({ right: 1 });
  // @ts-expect-error -- of another type
  await stock.update(() => ({ left: "five" }));
  // @ts-expect-error -- a draft has no such property
  await stock.update((draft) => void (draft.right = 1));
  // @ts-expect-error -- misspelt
  await stock.save({ left: 1 }, { ifrevision: 5 });
  // @ts-expect-error -- neither a revision nor "absent"
  await stock.save({ left: 1 }, { ifRevision: "present" });
  // @ts-expect-error -- an update has no condition
  await stock.update(() => undefined, { ifRevision: 5 });
  // @ts-expect-error -- not a life
  await stock.save({ left: 1 }, { ttlMs: "forever" });
  // @ts-expect-error -- not a grant
  await stock.save({ left: 1 }, { grant: 5 });
}

export async function withoutInitial(store: Store) {
  const stock = store.state<Stock>("stock");
  same<typeof stock, State<Stock>>(true);
  same<Awaited<ReturnType<typeof stock.load>>, Stock | undefined>(true);
  same<Awaited<ReturnType<typeof stock.read>>, Snapshot<Stock> | undefined>(true);
  const after = await stock.update((draft) => {
    same<typeof draft, Stock | undefined>(true);
    // @ts-expect-error -- it may be absent
    draft.left = 1;
    return { left: (draft?.left ?? 0) + 1 };
  });
  same<typeof after, Stock | undefined>(true);
  await stock.update((draft) => draft);
  // @ts-expect-error -- it may be absent
  (await stock.load()).left;

  const untyped = store.state("anything");
  same<Awaited<ReturnType<typeof untyped.load>>, unknown>(true);
  await untyped.save({ any: ["thing"] });

  const lives = store.state<number>("lives", { ttlMs: 5 });
  store.state<number>("window", { ttlMs: { whenNew: 60_000 } });
  same<Awaited<ReturnType<typeof lives.load>>, number | undefined>(true);
  const typed = store.state<Stock>("typed", { initial: () => ({ left: 1 }) });
  same<typeof typed, State<Stock, Stock>>(true);
  // @ts-expect-error -- initial is of another type
  store.state<Stock>("wrong", { initial: () => ({ right: 1 }) });
  // @ts-expect-error -- initial is a function
  store.state("wrong", { initial: { left: 1 } });
  // @ts-expect-error -- misspelt
  store.state("wrong", { ttl: 5 });
  // @ts-expect-error -- ids are strings
  store.state(5);
}

export async function primitives(store: Store) {
  const count = store.state("count", { initial: () => 0 });
  same<typeof count, State<number, number>>(true);
  same<Awaited<ReturnType<typeof count.update>>, number>(true);
  await count.update((n) => n + 1);
  // @ts-expect-error -- numbers only
  await count.update((n) => `${n}`);
}

export async function results(store: Store) {
  const stock = store.state("stock", { initial: (): Stock => ({ left: 500 }) });
  const sold = await stock.run((draft) => {
    if (draft.left === 0) return false;
    draft.left -= 1;
    return true;
  });
  same<typeof sold, boolean>(true);
  same<Awaited<ReturnType<typeof stock.run<Promise<string>>>>, string>(true);
  const text = await stock.run(async (draft) => String(draft.left));
  same<typeof text, string>(true);
  const nothing = await stock.run((draft) => {
    draft.left = 0;
  });
  same<typeof nothing, void>(true);

  const absent = await store.state<Stock>("absent").run((draft) => draft?.left);
  same<typeof absent, number | undefined>(true);
  // @ts-expect-error -- it may be absent
  await store.state<Stock>("absent").run((draft) => draft.left);
  // @ts-expect-error -- a number cannot be changed in place: the draft is never
  await store.state("count", { initial: () => 0 }).run((n) => n.toFixed());
}

export async function statefulFunctions(store: Store) {
  const next = store.stateful(
    "invoice-number",
    () => ({ last: 0 }),
    (state, year: number, suffix?: string) => {
      same<typeof state, { last: number }>(true);
      state.last += 1;
      return `${year}-${state.last}${suffix ?? ""}`;
    },
  );
  same<typeof next, (year: number, suffix?: string) => Promise<string>>(true);
  same<Awaited<ReturnType<typeof next>>, string>(true);
  await next(2026);
  await next(2026, "a");
  // @ts-expect-error -- an argument is missing
  await next();
  // @ts-expect-error -- of another type
  await next("2026");

  const later = store.stateful(
    "later",
    () => ({ n: 0 }),
    async (state) => (state.n += 1),
  );
  same<typeof later, () => Promise<number>>(true); // not a promise of a promise
  const numeric = (n: number): number => n;
  // @ts-expect-error -- a state that is no object cannot be changed in place
  store.stateful("n", () => 0, numeric);
  const other = (state: { m: number }): number => state.m;
  // @ts-expect-error -- the function's state is of another type
  store.stateful("n", () => ({ n: 0 }), other);
}
