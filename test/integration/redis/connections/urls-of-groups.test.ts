// URLs that name several servers: Sentinels, and nodes of a cluster. Nothing is connected here.

import { expect, test } from "vitest";

import { parseAddress } from "../../../../src/backends/redis/client/target-url.ts";
import { open } from "../../../../src/index.ts";

test("URLs of Sentinels: hosts, the name of the primary, database, both pairs of credentials", () => {
  const url = "redis+sentinel://u:a,b@a,b:1/main/2?sentinelUser=s&sentinelPassword=x%2By+z";
  expect(parseAddress(url)).toEqual({
    name: "redis+sentinel://a:26379,b:1/main/2",
    server: {
      primary: "main",
      sentinels: [
        { host: "a", port: 26_379, tls: false },
        { host: "b", port: 1, tls: false },
      ],
      username: "s",
      password: "x+y+z",
    },
    username: "u",
    password: "a,b",
    database: 2,
  });
  expect(parseAddress("rediss+sentinel://h/main?sentinelPassword=").server).toMatchObject({
    sentinels: [{ tls: true }],
    password: undefined,
  });
});

test.each([
  "redis+sentinel://h",
  "redis+sentinel://h/",
  "redis+sentinel://h,,i/main",
  "redis+sentinel://h/main/x",
  "redis+sentinel://h/main/1/2",
  "redis+sentinel://h/a@b",
  "redis+sentinel://h/main?password=x",
  "redis+sentinel://h/main?sentinelPassword=x&sentinelPassword=y",
  "redis+sentinel://h/main?sentinelPassword=%ff",
])("a URL of Sentinels that is refused: %s", (url) => {
  expect(() => parseAddress(url)).toThrow(/Invalid Redis URL/);
});

test("URLs of clusters: nodes and credentials; no database but 0, and nothing else", () => {
  expect(parseAddress("rediss+cluster://u:a%2Fb@[::1]:1,b/0")).toEqual({
    name: "rediss+cluster://[::1]:1,b:6379",
    server: {
      nodes: [
        { host: "::1", port: 1, tls: true },
        { host: "b", port: 6_379, tls: true },
      ],
    },
    username: "u",
    password: "a/b",
    database: 0,
  });
  for (const rest of ["h/1", "h,,i", "h?db=0", "h#x", "h/main"])
    expect(() => parseAddress(`redis+cluster://${rest}`)).toThrow(/Invalid Redis URL/);
});

test("on a cluster, a prefix without a hash tag is refused with what to write instead; by default it has one", async () => {
  const url = "redis+cluster://h";
  for (const [prefix, instead] of [
    ["shop:", '"{shop}:"'],
    ["a:b", '"{a:b}:"'],
    ["", '"{holdfast}:"'],
  ] as const)
    expect(() => open(url, { prefix })).toThrow(`write ${instead} instead of ${JSON.stringify(prefix)}`);
  for (const prefix of [undefined, "{shop}:", "a{b}c"])
    await open(url, prefix === undefined ? {} : { prefix }).close();
});
