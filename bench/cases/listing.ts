import type { Store } from "holdfast";
import { median, show, showSpread } from "../numbers.ts";
import type { Table } from "../model.ts";
import { loadHoldfast } from "../peers/holdfast.ts";
import { Server } from "../server.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** What an index of ids costs and gives. */
export const listing: Case = {
  name: "listing",
  title: "Listings with and without an index of ids",
  about:
    "Two stores on one server, one opened with `index: true`. Ten states beside 200 000 keys of others, all states with and " +
    "without values, and saves without a lock, 64 in flight: to ids that are new, and to ids that are there, in turn.",
  run,
};

const callers = 64;

interface Both {
  readonly plain: Store;
  readonly indexed: Store;
}

async function run({ quick, rounds, say }: Bench): Promise<Outcome> {
  const server = await Server.start();
  const { open } = await loadHoldfast();
  const both = {
    plain: open(server.url, { prefix: "store-a:" }),
    indexed: open(server.url, { prefix: "store-b:", index: true }),
  };
  try {
    say("saves");
    const saved = await saves(both, server, { rounds, count: quick ? 2_000 : 20_000 });
    say("listings");
    const listed = await lists(both, server, { rounds, foreign: quick ? 20_000 : 200_000 });
    return { measured: [], tables: [saved, listed], marks: [] };
  } finally {
    await both.plain.close();
    await both.indexed.close();
    await server.stop();
  }
}

interface Size {
  readonly rounds: number;
  readonly count: number;
}

/** Each round saves new ids, saves them again, and deletes them, in both stores. */
async function saves({ plain, indexed }: Both, server: Server, { rounds, count }: Size): Promise<Table> {
  const figures = new Map<string, { perSecond: number[]; serverUs: number[] }>();
  for (let round = -1; round < rounds; round += 1) {
    const stores = [
      { name: "without", store: plain },
      { name: "with an index", store: indexed },
    ];
    for (const { name, store } of round % 2 === 0 ? stores : stores.reverse()) {
      for (const what of ["new ids", "ids that are there", "deletes"]) {
        const before = await server.sample();
        const begun = performance.now();
        await inFlight(count, (n) => {
          const state = store.state(`s:${String(n)}`);
          return what === "deletes" ? state.delete() : state.save({ n });
        });
        const ms = performance.now() - begun;
        if (round < 0) continue; // until everything is compiled
        const row = `${what}, ${name}`;
        const figure = figures.get(row) ?? { perSecond: [], serverUs: [] };
        figures.set(row, figure);
        figure.perSecond.push((count / ms) * 1e3);
        figure.serverUs.push(((await server.sample()).cpuUs - before.cpuUs) / count);
      }
    }
  }
  return {
    title: "saves and deletes",
    head: ["", "ops/s (spread)", "server µs/op (spread)"],
    rows: [...figures]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([row, { perSecond, serverUs }]) => [row, showSpread(perSecond), showSpread(serverUs)]),
  };
}

async function lists(
  { plain, indexed }: Both,
  server: Server,
  { rounds, foreign }: { readonly rounds: number; readonly foreign: number },
): Promise<Table> {
  for (const store of [plain, indexed])
    await inFlight(10_000, (n) => store.state(n < 10 ? `few:${String(n)}` : `many:${String(n)}`).save({ n }));
  const script = "for i = 1, ARGV[1] do redis.call('SET', 'foreign:' .. i, 'x') end";
  await server.command("EVAL", script, "0", String(foreign));
  const asked = [
    { what: `10 states beside ${show(foreign)} keys of others`, options: { idPrefix: "few:" } },
    { what: "all of 10 000 states", options: {} },
    { what: "all of 10 000 states, with values", options: { values: true } },
  ] as const;
  const rows: string[][] = [];
  for (const { what, options } of asked) {
    for (const [name, store] of [
      ["without", plain],
      ["with an index", indexed],
    ] as const) {
      const times: number[] = [];
      let entries = 0;
      for (let round = 0; round < rounds; round += 1) {
        const begun = performance.now();
        entries = 0;
        for await (const { id } of store.states(options)) entries += id === "" ? 0 : 1;
        times.push(performance.now() - begun);
      }
      rows.push([
        `${what}, ${name}`,
        showSpread(times),
        show((median(times) / entries) * 1e3),
        String(entries),
      ]);
    }
  }
  return { title: "listings", head: ["", "ms (spread)", "µs each", "entries"], rows };
}

async function inFlight(count: number, call: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await call(n);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
