import { holdfast } from "../contenders.ts";
import { show } from "../numbers.ts";
import { atMost } from "../report/compare.ts";
import { percent } from "../report/tables.ts";
import { fromClients, Server } from "../server.ts";
import { Team } from "../team.ts";
import type { Held } from "../tasks/many.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** Very many grants, kept. */
export const renewal: Case = {
  name: "renewal",
  title: "Renewal: 10 000 grants held for a minute by one process",
  about:
    "The process does nothing else; the lease is 30 s, so each grant is renewed every 10 s. With --quick: 1 " +
    "000 grants of 3 s each, held for 4 s, which is the same number of renewals per second.",
  run,
};

async function run({ quick }: Bench): Promise<Outcome> {
  const { count, leaseMs, ms } = quick
    ? { count: 1_000, leaseMs: 3_000, ms: 4_000 }
    : { count: 10_000, leaseMs: 30_000, ms: 60_000 };
  const server = await Server.start();
  const team = await Team.start(holdfast, server.url, 1);
  try {
    await team.call(0, "takeMany", { name: "renewal", count, leaseMs });
    const before = await server.sample();
    const held = await team.call<Held>(0, "keepMany", { ms });
    const after = await server.sample();
    // All of it is scripts: what they call inside is in their time, and is no command of ours.
    const census = { fromClients: new Map([["evalsha", 1]]), fromScripts: new Map<string, number>() };
    const sent = fromClients(before, after, census);
    const seconds = held.elapsedMs / 1e3;
    const gone = await team.call<number>(0, "dropMany", {});
    const client = held.cpuUs / 1e6 / seconds;
    const lost = held.lost + gone;
    const row = [
      `${show(count)} grants for ${show(seconds)} s`,
      show(sent.calls / seconds),
      percent(client),
      percent((after.cpuUs - before.cpuUs) / 1e6 / seconds),
      show(sent.us / sent.calls),
      String(lost),
    ];
    return {
      measured: [],
      tables: [
        {
          title: "while they are held",
          head: ["", "commands/s", "client CPU", "server CPU", "in a command µs", "lost"],
          rows: [row],
        },
      ],
      marks: [
        atMost("renewal of 10 000 grants, client CPU of one core", client * 100, { limit: 5, unit: "%" }),
        { mark: "renewal of 10 000 grants: none lost", value: `${lost} lost`, met: lost === 0 },
      ],
    };
  } finally {
    await team.kill();
    await server.stop();
  }
}
