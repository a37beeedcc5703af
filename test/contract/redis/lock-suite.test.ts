// lockSuite of holdfast/testing on Redis once more: on a client of the user's, with declared keys, with an index, on a cluster,
// and on a group of Sentinels.

import { onRedis } from "../backends.ts";
import { runOnEach } from "../run-suite.ts";

runOnEach("lockSuite", onRedis, "Redis: ");
