// Explores the protocol: every small program, every order of steps, to a depth.
//
//   npm run model                     all programs, to their full depth
//   npm run model -- --ci             the same, less deep
//   npm run model -- --program NAME --depth N
//   npm run model -- --core FOLDER    the decision of another copy of src/

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { explore } from "./explore.ts";
import { programs } from "./programs.ts";
import type { Decide } from "./steps.ts";

const { values } = parseArgs({
  options: {
    ci: { type: "boolean", default: false },
    program: { type: "string" },
    depth: { type: "string" },
    core: { type: "string", default: join(import.meta.dirname, "../../src") },
  },
});

const decider = pathToFileURL(join(values.core, "backends/rows/decide.ts")).href;
const { decide } = (await import(decider)) as { decide: Decide };
const chosen = programs.filter(({ name }) => values.program === undefined || name === values.program);
if (chosen.length === 0)
  throw new Error(`there is no such program: ${programs.map(({ name }) => name).join(", ")}`);
let violations = 0;
for (const program of chosen) {
  const depth = Number(values.depth ?? (values.ci ? program.depthInCi : program.depth));
  const beganAt = performance.now();
  const { states, violation } = explore(decide, program, depth);
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
  console.log(`${program.name}: ${String(states)} states in ${String(depth)} steps, ${seconds} s`);
  if (violation === undefined) continue;
  violations += 1;
  console.log(`  ${violation.text}`);
  for (const step of violation.steps) console.log(`    ${step}`);
}
console.log(`found: violations: ${String(violations)}`);
process.exitCode = violations === 0 ? 0 : 1;
