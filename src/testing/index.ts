/**
 * The public API `holdfast/testing`: contract suites for any backend, a backend that fails on command, and a suite for
 * adapters of Redis clients with the port that they implement; and a world for the tests of applications.
 *
 * @packageDocumentation
 */
export { createTestWorld } from "./applications/test-world.ts";
export type { Held } from "./applications/held.ts";
export type {
  Outage,
  OutageOptions,
  TestProcess,
  TestWorld,
  TestWorldOptions,
  UntilOptions,
} from "./applications/types.ts";
export { stateSuite } from "./state-suite.ts";
export { lockSuite } from "./lock-suite.ts";
export type { SuiteHooks, SuiteOptions } from "./options.ts";
export { clientSuite } from "./client-suite.ts";
export type { ClientSuiteHooks, ClientSuiteOptions } from "./client-suite/options.ts";
export type {
  RedisArgument,
  RedisClient,
  RedisCommand,
  RedisReply,
  ReplyHandler,
  Subscriber,
  Subscription,
} from "../backends/redis/client/client-port.ts";
export { FaultyBackend } from "./faulty-backend.ts";
export type { FaultyMethod, MadeCall, Plan } from "./faulty-backend.ts";
export { delay, failBefore, hang, LateCopy, loseReply, meanwhile } from "./faults.ts";
export type { Fault, FaultedCall } from "./faults.ts";
export { Memory, MemoryBackend } from "../backends/memory/backend.ts";
export type { MemoryBackendOptions } from "../backends/memory/backend.ts";
