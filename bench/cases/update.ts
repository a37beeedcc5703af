import { everybody } from "../contenders.ts";
import type { Measured } from "../model.ts";
import { atLeast, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const sizes = [
  { bytes: 200, label: "200 bytes", quick: [64] },
  { bytes: 20_480, label: "20 KiB", quick: [64] },
] as const;

/** Lock, load, change, save, unlock. */
export const update: Case = {
  name: "update",
  title: "Update of a state: lock + load + save + unlock, distinct ids",
  about:
    "Each caller repeatedly adds one to a counter in its own state. The state consists of a list of small " +
    "records and that counter. Peers and floors need four steps: their lock, GET and JSON.parse, " +
    "JSON.stringify and SET, their unlock.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  const teams = new Teams(server.url);
  for (const size of sizes) {
    for (const callers of quick ? size.quick : [1, 4, 64, 256]) {
      const config = name(size.label, callers);
      say(config);
      const some = await measure(teams, server, {
        config,
        contenders: everybody,
        workers: 1,
        callers,
        task: "updateOwn",
        args: (id) => ({ name: id, bytes: size.bytes }),
        freshIds: false,
        contended: false,
        rounds,
        ms: quick ? 80 : 250,
        drainMs: 5_000,
        counters: (id) => Array.from({ length: callers }, (_, i) => `${id}:${i}`),
      });
      measured.push(...some);
    }
  }
  await teams.end();
  const shown = ["ops", "peer", "floor", "p50", "p99"] as const;
  const marks = [
    atLeast("update of 200 bytes, 1 in flight", ratio(measured, name("200 bytes", 1), "peer"), 1),
    atLeast("update of 200 bytes, 64 in flight", ratio(measured, name("200 bytes", 64), "peer"), 2.5),
    atLeast("update of 20 KiB, 64 in flight", ratio(measured, name("20 KiB", 64), "peer"), 1.5),
  ];
  return { measured, tables: tables(measured, shown), marks };
}

function name(size: string, callers: number): string {
  return `${size}, ${callers} in flight`;
}
