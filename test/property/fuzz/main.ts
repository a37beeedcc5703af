// npm run fuzz -- [--cases N] [--seed S] [--only NAME]
//
// All targets, each with its share of the cases; CI runs the same ones with fewer cases (fuzz.test.ts). Prints the seed
// first, so that a run that is killed can be repeated. Exits with 1 at the first failure.

import { parseArgs } from "node:util";

import { runTarget } from "./harness.ts";
import { targets } from "./targets.ts";

const { values } = parseArgs({
  options: { cases: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
});
const cases = Number(values.cases ?? 1_000_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0)
  throw new Error(`--only takes one of: ${targets.map(({ name }) => name).join(", ")}`);

console.log(`seed ${String(seed)}, ${String(cases)} cases`);
const begun = performance.now();
let done = 0;
for (const target of chosen) {
  const from = performance.now();
  const share = values.only === undefined ? Math.ceil(cases * target.share) : cases;
  const met = await runTarget(target, { cases: share, seed });
  done += share;
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  const details = Object.entries(met).map(([what, count]) => `${what} ${String(count)}`);
  console.log(
    `ok ${target.name}: ${String(share)} cases, ${seconds} s${details.length > 0 ? ` (${details.join(", ")})` : ""}`,
  );
}
console.log(`${String(done)} cases in ${((performance.now() - begun) / 1000).toFixed(0)} s, nothing found`);
