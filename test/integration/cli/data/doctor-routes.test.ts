// holdfast doctor on a cluster and through Sentinels, and on the addresses that people write in the place of theirs.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import {
  primaryName,
  startCluster,
  startSentinels,
  type Cluster,
  type SentinelGroup,
} from "../../../support/faults/index.ts";
import { jsonLines, runSafely } from "./places.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

interface Found {
  readonly code: number | null;
  /** As `status: found`. */
  readonly route: string;
  readonly protocol: string;
  readonly advice: readonly (string | null)[];
}

async function examine(url: string): Promise<Found> {
  const result = await runSafely(["doctor", "--json", "--url", url]);
  const [report] = jsonLines(result) as {
    checks: Record<"name" | "status" | "found" | "advice", string>[];
  }[];
  const of = (name: string) => report?.checks.find((check) => check.name === name);
  const textOf = (name: string): string => `${of(name)?.status ?? ""}: ${of(name)?.found ?? ""}`;
  const advice = ["route", "protocol"].map((name) => of(name)?.advice ?? null);
  return { code: result.code, route: textOf("route"), protocol: textOf("protocol"), advice };
}

describe("a cluster", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  test("is fit at the node that has the slot of the prefix", async () => {
    expect(await examine(cluster.url)).toMatchObject({
      code: 0,
      route: "ok: a cluster, at the node that has the slot of the prefix",
      advice: [null, null],
    });
  });

  test("is not, at the address of one node, and the advice is another URL", async () => {
    const { code, route, protocol, advice } = await examine(cluster.nodes[0]!.adminUrl);
    expect([code, route]).toEqual([1, "fail: one node of a cluster, which is not followed"]);
    expect(protocol).toMatch(/^fail: .* is part of a Redis Cluster/);
    expect(advice[0]).toContain("Write redis+cluster://");
    expect(advice[1]).not.toContain("6.2");
  });
});

describe("Sentinels", () => {
  let group: SentinelGroup;
  beforeAll(async () => {
    group = await startSentinels();
  });
  afterAll(() => group.stop());

  test("lead to the primary", async () => {
    expect(await examine(group.url)).toMatchObject({
      code: 0,
      route: "ok: the primary that the Sentinels name",
    });
  });

  test("are no store themselves, and the advice is another URL", async () => {
    const [, address = ""] = /@([^,/]+)/.exec(group.url) ?? [];
    const { code, protocol, advice } = await examine(`redis://${address}`);
    expect([code, protocol]).toEqual([
      1,
      expect.stringMatching(/^fail: .* is a Sentinel, which stores no data/),
    ]);
    expect(protocol).toContain("redis+sentinel://");
    expect(advice[1]).not.toContain("6.2");
  });

  test("that do not know the name are told apart from a server that is down", async () => {
    const { code, stderr } = await runSafely(["doctor", "--url", group.url.replace(primaryName, "other")]);
    expect(code).toBe(3);
    expect(stderr).toContain("other");
  });
});
