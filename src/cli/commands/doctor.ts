/** `holdfast doctor`: examines the place of a store, and says what to change there. */
import type { Check } from "../../backends/examination.ts";
import { defineCommand } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { backendsOf, storeOptions } from "../store-options.ts";

const operationMs = 5_000;

/** Of one of the shards, if the store has several. */
interface PlacedCheck extends Check {
  readonly shard?: number;
}

export const doctorCommand = defineCommand({
  usage: "[options]",
  description: `Checks the server, or the file, and says what to change. On Redis: its kind and version, proxies in between, the user's
rights, eviction, persistence, replicas, wakes, clocks, round trips, and what is stored under the prefix. On SQLite: the
file, its permissions, the disk, the version of SQLite, damage, and what is stored. It leaves nothing behind. A check that
the user's rights do not allow is "unknown". The exit code is 1 if a check fails, 0 with warnings only, and 3 if the store
cannot be reached.
As JSON, one object: {"store","fit","checks":[{"name","status","found","advice"}]}; the status is "ok", "warning", "fail"
or "unknown". In a store of several shards, a check has a "shard", from 1.`,
  options: storeOptions,
  operands: { min: 0, max: 0 },
  examples: ["holdfast doctor", "holdfast doctor --url redis://localhost --json | jq .fit"],
  async run({ values, output }) {
    const backends = backendsOf(values, operationMs);
    const checks: PlacedCheck[] = [];
    for (const [index, backend] of backends.entries()) {
      const found = await backend.examine();
      checks.push(...found.map((check) => (backends.length === 1 ? check : { shard: index + 1, ...check })));
    }
    const store = backends.map(({ name }) => name).join(", ");
    const fit = checks.every(({ status }) => status !== "fail");
    const verdict = fit ? "It is fit for Holdfast." : "It is not fit for Holdfast yet.";
    const text = [store, ...checks.flatMap(linesOf), verdict].join("\n");
    await output.result({ store, fit, checks }, text);
    return fit ? exitCodes.done : exitCodes.no;
  },
});

function linesOf({ shard, name, status, found, advice }: PlacedCheck): string[] {
  const place = shard === undefined ? "" : `${String(shard)}: `;
  const line = `${status.padEnd(8)} ${`${place}${name}`.padEnd(12)} ${found}`;
  return advice === null ? [line] : [line, `${" ".repeat(22)}→ ${advice}`];
}
