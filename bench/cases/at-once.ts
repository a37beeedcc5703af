import { holdfast } from "../contenders.ts";
import { median, show, showSpread } from "../numbers.ts";
import { atMost } from "../report/compare.ts";
import type { AtOnce } from "../tasks/at-once.ts";
import { Team } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const [count, bytes] = [2_000, 50];

/** Many states in one call. */
export const manyAtOnce: Case = {
  name: "at-once",
  title: "Many at once: 2 000 states of 50 bytes",
  about:
    "One process, by turns: `saveMany` and `loadMany` of 2 000 ids, MSET and MGET of the same bytes by " +
    "`@redis/client`, whose reply is not parsed, and one `save()` or `load()` for each id, all at once.",
  run,
};

async function run({ server, quick, rounds }: Bench): Promise<Outcome> {
  const team = await Team.start(holdfast, server.url, 1);
  try {
    const args = { url: server.url, count, bytes, rounds: rounds * (quick ? 10 : 20) };
    const times = await team.call<AtOnce>(0, "atOnce", args);
    const of = (name: string): number => median(times[name] ?? []);
    const ratio = (ours: string, bare: string): number => of(ours) / of(bare);
    return {
      measured: [],
      tables: [
        {
          title: "2 000 states of 50 bytes",
          head: ["", "ms (spread)", "µs each", "to the bare command"],
          rows: Object.entries(times).map(([name, all]) => [
            name,
            showSpread(all),
            show((median(all) / count) * 1e3),
            `${show(ratio(name, /load|MGET/.test(name) ? "MGET" : "MSET"))}×`,
          ]),
        },
      ],
      marks: [
        atMost("loadMany of 2 000 × 50 bytes, to MGET", ratio("loadMany()", "MGET"), { limit: 3, unit: "×" }),
        atMost("saveMany of 2 000 × 50 bytes, to MSET", ratio("saveMany()", "MSET"), { limit: 3, unit: "×" }),
      ],
    };
  } finally {
    await team.kill();
  }
}
