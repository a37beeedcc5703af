/** The public API `holdfast/testing`: contract suites for any backend, and a backend that fails on command. */
export { stateSuite } from "./state-suite.ts";
export { lockSuite } from "./lock-suite.ts";
export type { SuiteHooks, SuiteOptions } from "./options.ts";
export { FaultyBackend } from "./faulty-backend.ts";
export type { FaultyMethod, MadeCall, Plan } from "./faulty-backend.ts";
export { delay, failBefore, hang, LateCopy, loseReply, meanwhile } from "./faults.ts";
export type { Fault, FaultedCall } from "./faults.ts";
export { Memory, MemoryBackend } from "../backends/memory/backend.ts";
export type { MemoryBackendOptions } from "../backends/memory/backend.ts";
