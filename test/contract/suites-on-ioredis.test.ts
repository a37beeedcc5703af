// The suites of holdfast/testing on Redis once more, with all stores on one client of ioredis that the user has made.

import { onIoredis, suites } from "./backends.ts";
import { runSuite } from "./run-suite.ts";

for (const [suiteName, suite] of Object.entries(suites))
  runSuite(`${suiteName} on ioredis`, suite, onIoredis);
