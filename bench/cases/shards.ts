import { holdfast, holdfastOnShards } from "../contenders.ts";
import type { Measured } from "../model.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Server } from "../server.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const shapes = [
  { workers: 1, callers: 64 },
  { workers: 4, callers: 16 },
] as const;

const works = [
  { label: "lock + unlock", task: "lockDistinct", freshIds: true, bytes: undefined },
  { label: "update of 200 bytes", task: "updateOwn", freshIds: false, bytes: 200 },
] as const;

/** One store on several servers. */
export const shards: Case = {
  name: "shards",
  title: "Three shards on three servers, beside one server",
  about:
    "The same store on one server, and spread over three. Servers and processes share this machine, so what three " +
    "servers can do more than one shows only where there are more processors than they and the processes need; what " +
    "spreading costs the client shows everywhere.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  // A server that holds a shard cannot serve a store alone.
  const others = await Promise.all([Server.start(), Server.start(), Server.start()]);
  const three = others.map(({ url }) => url).join(" ");
  const measured: Measured[] = [];
  try {
    for (const { workers, callers } of quick ? shapes.slice(0, 1) : shapes) {
      const teams = new Teams((contender) => (contender === holdfast ? server.url : three));
      for (const { label, task, freshIds, bytes } of works) {
        const config = `${label}, ${workers} ${workers === 1 ? "process" : "processes"} × ${callers}`;
        say(config);
        const some = await measure(teams, undefined, {
          config,
          contenders: [holdfast, holdfastOnShards],
          workers,
          callers,
          task,
          args: (id, worker) => ({ name: `${id}-${worker}`, bytes }),
          freshIds,
          contended: false,
          rounds,
          ms: quick ? 80 : 250,
          drainMs: 5_000,
        });
        measured.push(...some);
      }
      await teams.end();
    }
  } finally {
    await Promise.all(others.map((other) => other.stop()));
  }
  return { measured, tables: tables(measured, ["ops", "p50", "p99"]), marks: [] };
}
