// The suites of holdfast/testing on every backend: each pair of backend and suite, on a storage of its own.

import { backends, suites } from "./backends.ts";
import { runSuite } from "./run-suite.ts";

for (const [name, backend] of Object.entries(backends)) {
  for (const [suiteName, suite] of Object.entries(suites))
    runSuite(`${suiteName} on ${name}`, suite, backend);
}
