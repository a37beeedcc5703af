// A process that appends to a list in a state, update by update, and says on stdout what was acknowledged.
// Arguments: path, its name, how many updates (0: until it is killed). Each update is lock, load, save and unlock.

import { randomInt } from "node:crypto";
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { createSqliteBackend } from "../../../src/backends/sqlite/backend.ts";
import { UnavailableError } from "../../../src/errors.ts";
import { ContractClient, save, textOf } from "../../../src/testing/contract-client.ts";

const [path = "", name = "", updates = "0"] = process.argv.slice(2);
const client = new ContractClient(createSqliteBackend({ path, prefix: "test:" }));

/** As the core does: what may pass is tried again. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof UnavailableError) || error.code !== "UNREACHABLE" || error.lasting) throw error;
      await sleep(randomInt(1, 20));
    }
  }
}

async function append(entry: string): Promise<number> {
  const turn = client.ticketFor("list");
  for (;;) {
    const reply = await insist(() => turn.ask({ load: true, leaseMs: 500 }));
    if (reply.status === "granted") {
      const list = (textOf(reply.state) as string | null) ?? "";
      const released = await insist(() => turn.release({ write: save(list + entry) }));
      if (released.status === "released") return reply.fence;
      return append(entry); // the lease ended first
    }
    await sleep(client.backend.askAgainMs);
  }
}

// Directly, so that what was said before a kill was said.
const say = (line: string): void => void writeSync(1, `${line}\n`);

await insist(() => client.backend.ready());
say("ready");
for (let n = 0; updates === "0" || n < Number(updates); n += 1) {
  const entry = `${name}.${String(n)};`;
  say(`${entry} ${String(await append(entry))}`);
}
await client.backend.close();
