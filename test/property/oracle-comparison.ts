// How the answers of two backends are compared: client ids become names, and stamps are compared by their order.

import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "vitest";

import type { Wake, Backend } from "../../src/backends/contract.ts";

export interface Side {
  readonly clients: readonly Backend[];
}

export interface Comparison {
  readonly reference: Side;
  readonly subject: Side;
  readonly leases: readonly [number, number, number];
  readonly ttls: readonly [number, number];
  /** The time of day on both sides. Default: the machine's. */
  readonly wall?: (() => number) | undefined;
  /** Lets time pass on both sides. */
  readonly advance: (ticks: number) => Promise<void>;
  /** Deletes the receipts of all clients, on both sides. */
  readonly forget: () => Promise<void>;
  /** False where both sides read their own clocks: then durations are compared by whether there is one. */
  readonly exactTimes: boolean;
  /** Asked after each step: false ends the run, since the two clocks may no longer agree on what has expired. */
  readonly keepsPace?: () => boolean;
  /** Where the subject has several places: which of them has this id. */
  readonly placeOf?: (id: string) => number;
  /** Whether the subject can wake. */
  readonly wakes: boolean;
  /** Whether the subject lists and counts states as memory does: in the order of ids. */
  readonly keepsOrder?: boolean;
}

/** A pair of values that mean the same on each side. */
export type Both<T> = readonly [T, T];

const stampKeys = new Set(["revision", "fence", "lastFence"]);
const durationKeys = new Set(["retryInMs", "expiresInMs", "heldForMs"]);
/** Which of several holders they are about depends on whose lease ends first: on two clocks, not always the same one. */
const ofOneHolder = new Set(["holder", "fence", "lastFence", "heldForMs"]);

export class Answers {
  readonly #options: Comparison;
  readonly #stamps: Both<number>[] = [];

  constructor(options: Comparison) {
    this.#options = options;
  }

  /** A stamp that both sides have given out; 0: the last one that was new. */
  stamp(back: number): Both<number> | undefined {
    return this.#stamps.at(-1 - back);
  }

  /** The first stamp that both sides have given out. */
  get firstStamp(): Both<number> | undefined {
    return this.#stamps[0];
  }

  compare(reference: unknown, subject: unknown): void {
    const stamps: Both<number[]> = [[], []];
    const [one, two] = [this.#plain(0, reference, stamps[0]), this.#plain(1, subject, stamps[1])];
    expect(two).toEqual(one);
    for (const [index, stamp] of stamps[0].entries()) this.#pairStamps([stamp, stamps[1][index]!]);
  }

  /** The same stamp on one side is the same on the other, and a greater one is greater. */
  #pairStamps(pair: Both<number>): void {
    for (const known of this.#stamps) {
      const order = [Math.sign(pair[0] - known[0]), Math.sign(pair[1] - known[1])];
      expect(order[1], `stamps ${pair.join()} against ${known.join()}`).toBe(order[0]);
      if (order[0] === 0) return;
    }
    this.#stamps.push(pair);
  }

  /** The reply in words that both sides share; its stamps go to `stamps`. */
  #plain(side: 0 | 1, value: unknown, stamps: number[]): unknown {
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    if (Array.isArray(value)) return value.map((item) => this.#plain(side, item, stamps));
    if (typeof value === "string") return this.#withNames(side, value);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value as Record<string, unknown>).filter(
      ([key, field]) => field !== undefined && !(ofOneHolder.has(key) && this.#isOfSeveral(value)),
    );
    return Object.fromEntries(
      entries.sort().map(([key, field]) => {
        if (stampKeys.has(key) && typeof field === "number") {
          stamps.push(field);
          return [key, "a stamp"];
        }
        if (key === "revisions") {
          const revisions = field as readonly (number | null)[];
          stamps.push(...revisions.filter((revision) => revision !== null));
          return [key, revisions.map((revision) => revision && "a stamp")];
        }
        if (durationKeys.has(key) && !this.#options.exactTimes)
          return [key, field === null ? null : "some time"];
        return [key, this.#plain(side, field, stamps)];
      }),
    );
  }

  #isOfSeveral(value: object): boolean {
    return !this.#options.exactTimes && ("shares" in value || ("holders" in value && "holder" in value));
  }

  #withNames(side: 0 | 1, text: string): string {
    const { clients } = side === 0 ? this.#options.reference : this.#options.subject;
    return clients.reduce(
      (named, { clientId }, client) => named.replaceAll(clientId, `client-${client}`),
      text,
    );
  }
}

/** All listings, page by page, in an order that both sides share. */
export async function listings(
  backend: Backend,
  { keepsOrder }: Pick<Comparison, "keepsOrder">,
): Promise<unknown> {
  const every = { idPrefix: "", limit: 1 };
  const states = await everyPage((cursor) => backend.listStates(cursor, { ...every, values: true }));
  const locks = inOrder(await everyPage((cursor) => backend.listLocks(cursor, every)));
  if (keepsOrder !== true) return { states: inOrder(states), locks };
  const order = "desc" as const;
  const descending = await everyPage((cursor) => backend.listStates(cursor, { ...every, limit: 2, order }));
  return { states, locks, descending, count: (await backend.countStates(""))?.count };
}

async function everyPage<Entry>(
  page: (cursor: string | null) => Promise<{ entries: readonly Entry[]; cursor: string | null }>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | null = null;
  do {
    const next: { entries: readonly Entry[]; cursor: string | null } = await page(cursor);
    entries.push(...next.entries);
    cursor = next.cursor;
  } while (cursor !== null);
  return entries;
}

function inOrder<Entry extends { id: string }>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((one, two) => (one.id < two.id ? -1 : 1));
}

/** Those that come too many need a moment, those that are missing get a second. */
export async function wakesSettle([expected, actual]: Both<readonly (readonly unknown[])[]>): Promise<void> {
  const deadline = performance.now() + 1_000;
  await sleep(10);
  while (actual.flat().length < expected.flat().length && performance.now() < deadline) await sleep(5);
}

/** The wakes of each client by place: those of different places come over different connections, in any order. */
export function byPlace(
  wakes: readonly (readonly Wake[])[],
  { placeOf }: Pick<Comparison, "placeOf">,
): Wake[][] {
  const place = (wake: Wake): number => ("id" in wake ? (placeOf?.(wake.id) ?? 0) : 0);
  return wakes.map((own) => own.toSorted((a, b) => place(a) - place(b)));
}
