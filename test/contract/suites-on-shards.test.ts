// The suites of holdfast/testing on stores of three shards: a combination of backends keeps what each of them keeps.

import { suites } from "./backends.ts";
import { runSuite } from "./run-suite.ts";
import { sharded } from "./shards.ts";

for (const [name, backend] of Object.entries(sharded)) {
  for (const [suiteName, suite] of Object.entries(suites))
    runSuite(`${suiteName} on ${name}`, suite, backend);
}
