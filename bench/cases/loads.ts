import { holdfast, readers } from "../contenders.ts";
import type { Measured, Table } from "../model.ts";
import { median, show, showSpread } from "../numbers.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Server } from "../server.ts";
import type { Listed } from "../tasks/many.ts";
import { Team, Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** Reading. */
export const loads: Case = {
  name: "loads",
  title: "Loads and lists",
  about:
    "`load` of a state of 200 bytes, compared with a bare GET whose reply is not even parsed. Then `states()` " +
    "over 100 000 small states, compared with a bare SCAN over the same keys.",
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  const measured = await reads(bench);
  bench.say("listing");
  return {
    measured,
    tables: [...tables(measured, ["ops", "floor", "p50", "p99"]), await lists(bench)],
    marks: [],
  };
}

async function reads({ server, quick, rounds }: Bench): Promise<Measured[]> {
  const measured: Measured[] = [];
  const teams = new Teams(server.url);
  for (const callers of [1, 64]) {
    const config = `load, ${callers} in flight`;
    const plan = {
      config,
      contenders: readers,
      workers: 1,
      callers,
      freshIds: false,
      contended: false,
      drainMs: 5_000,
    };
    const args = (id: string): object => ({ name: id, bytes: 200 });
    // They must be there first.
    await measure(teams, undefined, { ...plan, task: "updateOwn", args, rounds: 0, ms: 50 });
    measured.push(
      ...(await measure(teams, server, { ...plan, task: "loadOwn", args, rounds, ms: quick ? 80 : 250 })),
    );
  }
  await teams.end();
  return measured;
}

async function lists({ quick, rounds }: Bench): Promise<Table> {
  const count = quick ? 10_000 : 100_000;
  const server = await Server.start();
  const team = await Team.start(holdfast, server.url, 1);
  try {
    await team.call(0, "saveMany", { name: "list", count });
    const listed: Listed[] = [];
    const scans: number[] = [];
    for (let round = 0; round < rounds; round++) {
      listed.push(await team.call<Listed>(0, "listMany", { name: "list" }));
      scans.push(await scan(server));
    }
    const wrong = listed.filter(({ entries }) => entries !== count).length;
    return {
      title: `all of ${show(count)} states`,
      head: ["", "ms (spread)", "µs each", "client µs each", "lists that were not whole"],
      rows: [
        [
          "states()",
          showSpread(listed.map(({ ms }) => ms)),
          show((median(listed.map(({ ms }) => ms)) / count) * 1e3),
          show(median(listed.map(({ cpuUs }) => cpuUs)) / count),
          String(wrong),
        ],
        ["bare SCAN COUNT 500", showSpread(scans), show((median(scans) / count) * 1e3), "–", "–"],
      ],
    };
  } finally {
    await team.kill();
    await server.stop();
  }
}

async function scan(server: Server): Promise<number> {
  const begun = performance.now();
  let cursor = "0";
  do {
    const [next] = (await server.command("SCAN", cursor, "COUNT", "500")) as [string, string[]];
    cursor = next;
  } while (cursor !== "0");
  return performance.now() - begun;
}
