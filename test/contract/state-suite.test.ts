// stateSuite of holdfast/testing on every backend.

import { runOnEveryBackend } from "./run-suite.ts";

runOnEveryBackend("stateSuite");
