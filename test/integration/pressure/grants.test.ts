// Many grants: taken and released, the heap is what it was; dropped without a release, they are renewed until close(),
// small, and gone afterwards.

import { afterAll, beforeAll, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { expectNothingLeft, live } from "./lives.ts";
import { heapPerGrantBytes, sizes, timeout } from "./sizes.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test.each(["memory", "Redis"])(
  `[P1] ${String(sizes.grants)} grants taken and released leave nothing on the heap: %s`,
  { timeout },
  async (backend) => {
    const url = backend === "memory" ? "memory:" : server.url;
    const { figures } = await live("grants", { url, count: sizes.grants });
    expect(Math.abs(figures["grownPart"]!)).toBeLessThan(0.05);
    await expectNothingLeft(server);
  },
);

test.each(["memory", "Redis"])(
  `[L5] [P2] ${String(sizes.dropped)} grants that were dropped are kept until close, and are small: %s`,
  { timeout },
  async (backend) => {
    const url = backend === "memory" ? "memory:" : server.url;
    const { figures } = await live("dropped", { url, count: sizes.dropped });
    expect(figures["held"]).toBe(sizes.dropped);
    expect(figures["bytesPerGrant"]).toBeLessThanOrEqual(heapPerGrantBytes);
    expect(figures["bytesLater"]).toBeLessThanOrEqual(heapPerGrantBytes);
    await expectNothingLeft(server);
  },
);
