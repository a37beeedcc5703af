import { holdfast } from "../contenders.ts";
import { show } from "../numbers.ts";
import { Server } from "../server.ts";
import { Team } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** Very many ids, each locked once. */
export const ids: Case = {
  name: "ids",
  title: "Growth: what remains of a million locks",
  about:
    "One process locks 1 000 000 distinct ids once, 256 at a time, on a separate server. Afterwards there may " +
    "be the stamp and the receipts of the live client; the locks leave nothing else.",
  run,
};

async function run({ quick }: Bench): Promise<Outcome> {
  const server = await Server.start();
  const team = await Team.start(holdfast, server.url, 1);
  try {
    const count = quick ? 20_000 : 1_000_000;
    // What a client leaves at all is there before.
    await team.call(0, "lockOnce", { from: 0, to: 1_000, inFlight: 256 });
    await server.command("MEMORY", "PURGE");
    const before = await server.sample();
    const keysBefore = await server.keys();
    const begun = performance.now();
    await team.call(0, "lockOnce", { from: 1_000, to: 1_000 + count, inFlight: 256 });
    const seconds = (performance.now() - begun) / 1e3;
    await server.command("MEMORY", "PURGE");
    const after = await server.sample();
    const keys = await server.keys();
    const grown = after.memoryBytes - before.memoryBytes;
    const row = [
      `${show(count)} ids in ${show(seconds)} s`,
      String(keysBefore),
      String(keys),
      show(before.memoryBytes),
      show(after.memoryBytes),
    ];
    return {
      measured: [],
      tables: [
        {
          title: "keys and server memory, before and after",
          head: ["", "keys before", "keys after", "bytes before", "bytes after"],
          rows: [row],
          note: `The keys afterwards: ${(await server.kindsOfKeys()).join(", ")}`,
        },
      ],
      marks: [
        {
          mark: "growth: locks leave nothing but the stamp and the receipts of live clients",
          value: `${keys - keysBefore} more keys, ${show(grown)} more bytes of server memory`,
          met: keys <= keysBefore && keys <= 2,
        },
      ],
    };
  } finally {
    await team.kill();
    await server.stop();
  }
}
