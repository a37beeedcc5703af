// The fuzz targets with fewer cases: 20 000 together, with a new seed each time (FUZZ_SEED=… for the same one again).
// For longer: npm run fuzz.

import { expect, test } from "vitest";

import { runTarget } from "./harness.ts";
import { targets } from "./targets.ts";

const cases = 20_000;
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);

test("the shares of all targets add up to all cases", () => {
  expect(targets.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
});

test.each(targets)(
  `[S1] [S6] [P3] hostile input: $name (seed ${String(seed)})`,
  { timeout: 120_000 },
  async (target) => {
    await runTarget(target, { cases: Math.ceil(cases * target.share), seed });
  },
);
