// The suites of holdfast/testing on Redis once more: on a client of the user's, with declared keys, on a cluster, and on a group
// of Sentinels.

import { onRedis, suites } from "./backends.ts";
import { runSuite } from "./run-suite.ts";

for (const [name, backend] of Object.entries(onRedis)) {
  for (const [suiteName, suite] of Object.entries(suites))
    runSuite(`${suiteName} on Redis: ${name}`, suite, backend);
}
