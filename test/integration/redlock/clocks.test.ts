// How long a lock is good for: what `expiration` says.
//
// Seen failing: src/redlock/redlock.ts that leaves `expiration` as it is after an extension without an answer.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ExecutionError } from "holdfast/redlock";

import { failureOf, World } from "./clients.ts";

const world = new World("ioredis 5");
beforeAll(() => world.start());
afterEach(() => world.end());
afterAll(() => world.stop());

const hourMs = 3_600_000;

test("after an extension without an answer, `expiration` is that of the shorter lease", async () => {
  const redlock = await world.redlock({ driftFactor: 0 });
  const lock = await redlock.acquire(["shorter"], hourMs);
  const other = await redlock.acquire(["longer"], 120_000);
  const before = other.expiration;
  world.server.pause();
  const failures = await Promise.all([failureOf(lock.extend(60_000)), failureOf(other.extend(hourMs))]);
  world.server.resume();
  for (const failure of failures) expect(failure).toMatchObject({ cause: { code: "UNREACHABLE" } });
  expect(lock.expiration).toBeLessThan(Date.now() + 60_000);
  expect(lock.expiration).toBeGreaterThan(Date.now());
  expect(other.expiration).toBeLessThanOrEqual(before);
  expect(other.expiration).toBeGreaterThan(Date.now());
  await lock.extend(60_000);
}, 60_000);

test("after an extension of a lock that was lost, `expiration` is 0", async () => {
  const lock = await (await world.redlock()).acquire(["lost"], hourMs);
  await world.store.lock("lost").forceRelease();
  expect(await failureOf(lock.extend(hourMs))).toBeInstanceOf(ExecutionError);
  expect(lock.expiration).toBe(0);
});
