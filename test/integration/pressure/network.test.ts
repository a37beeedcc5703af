// A server that is slow, a wake connection that breaks again and again, an event loop that is never idle: everything goes
// on, nothing that was acknowledged is missing, no lock is lost that is renewed, and nobody is kept waiting for long.

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";

import { open } from "../../../src/index.ts";
import { startProxy } from "../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import type { Report } from "./life.ts";
import { expectNothingLeft, live } from "./lives.ts";
import { sizes, timeout } from "./sizes.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** Of the states of a run of its own. */
async function freshStates(): Promise<void> {
  await server.command("FLUSHALL");
}

function expectSound(report: Report): void {
  const { figures, errors } = report;
  expect(errors).toEqual({});
  expect(figures["updates"]).toBeGreaterThan(0);
  expect(figures["lost"]).toBe(0);
  expect(figures["waitMax"]).toBeLessThan(20_000);
}

test("[S3] [L5] a server that takes 100 ms for each command", { timeout }, async () => {
  await freshStates();
  const proxy = await startProxy(server);
  proxy.fault = () => ({ delayMs: 100 });
  try {
    const report = await live("work", {
      url: proxy.url,
      lanes: 12,
      forMs: sizes.workMs,
      open: { leaseMs: 2_000 },
    });
    expectSound(report);
    expect(report.figures["sum"]).toBe(report.figures["updates"]);
    await expectNothingLeft(server);
  } finally {
    await proxy.close();
  }
});

test(
  "[L5] renewals that are answered after more than a quarter of the lease keep the lock",
  { timeout },
  async () => {
    const proxy = await startProxy(server);
    await using store = open(proxy.url, { leaseMs: 4_000 });
    const grant = await store.lock("renewed slowly").acquire();
    proxy.fault = ({ name }) => (name === "renew" ? { delayMs: 1_200 } : undefined);
    await sleep(7_000);
    expect(grant.signal.aborted).toBe(false);
    expect(await grant.release()).toBe(true);
    await store.close();
    await proxy.close();
  },
);

test("[S3] [L2] [L8] a wake connection that breaks each second", { timeout }, async () => {
  await freshStates();
  let flaps = 0;
  const flapping = setInterval(() => {
    flaps += 1;
    void server.command("CLIENT", "KILL", "TYPE", "pubsub");
  }, 1_000);
  try {
    const options = { url: server.url, lanes: 8, forMs: sizes.flapMs };
    const reports = await Promise.all([live("work", options), live("work", options)]);
    console.log(`${String(flaps)} flaps`);
    for (const report of reports) expectSound(report);
    const updates = reports.reduce((sum, { figures }) => sum + figures["updates"]!, 0);
    expect(Math.max(...reports.map(({ figures }) => figures["sum"]!))).toBe(updates);
    await expectNothingLeft(server);
  } finally {
    clearInterval(flapping);
  }
});

test("[S3] [L5] a process at 100 % CPU, beside one that is not", { timeout }, async () => {
  await freshStates();
  const options = { url: server.url, lanes: 6, forMs: sizes.workMs, open: { leaseMs: 2_000 } };
  const reports = await Promise.all([live("work", { ...options, burnMs: 40 }), live("work", options)]);
  for (const report of reports) expectSound(report);
  const updates = reports.reduce((sum, { figures }) => sum + figures["updates"]!, 0);
  expect(Math.max(...reports.map(({ figures }) => figures["sum"]!))).toBe(updates);
  await expectNothingLeft(server);
});
