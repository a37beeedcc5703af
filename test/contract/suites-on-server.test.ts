// The suites of holdfast/testing on the server that HOLDFAST_TEST_SERVER names. The other backends do not depend on it.

import { backends, suites } from "./backends.ts";
import { runSuite } from "./run-suite.ts";

const { Redis } = backends;
if (Redis === undefined) throw new Error("test/contract/backends.ts has no Redis");
for (const [name, suite] of Object.entries(suites))
  runSuite(`${name} on the server that is named`, suite, Redis);
