// What cannot be meant, or cannot be kept, is refused at once, with what to do instead.

import { Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { Redlock } from "holdfast/redlock";

import { failureOf } from "./clients.ts";

const client = new Redis({ lazyConnect: true, port: 1 });
afterAll(() => client.disconnect());
const redlock = new Redlock([client]);

describe("new Redlock()", () => {
  const make =
    (...args: readonly unknown[]) =>
    () =>
      new (Redlock as new (...args: readonly unknown[]) => Redlock)(...args);
  const another = new Redis({ lazyConnect: true, port: 1 });
  test.each([
    ["several clients", make([client, another]), /takes one client; got 2\..*no quorum.*from-redlock\.md/],
    ["no client", make([]), /an array of one client/],
    ["a client outside of an array", make(client), /new Redlock\(\[client\]\)/],
    ["what is no client", make([{}]), /./],
    ["a URL", make(["redis://localhost"]), /an array of one client/],
    ["custom scripts", make([client], {}, { acquireScript: "return 1" }), /takes no scripts/],
    ["an unknown setting", make([client], { retries: 1 }), /no option "retries"; it takes: driftFactor/],
    [
      "a fraction of a retry",
      make([client], { retryCount: 1.5 }),
      /retryCount must be .* -1 for no limit; got 1.5/,
    ],
    ["a negative count", make([client], { retryCount: -2 }), /retryCount must be/],
    ["a negative delay", make([client], { retryDelay: -1 }), /retryDelay must be/],
    ["a jitter of no number", make([client], { retryJitter: "1" }), /retryJitter must be/],
    ["a drift of all", make([client], { driftFactor: 1 }), /driftFactor must be/],
    ["an endless threshold", make([client], { automaticExtensionThreshold: Infinity }), /Threshold must be/],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
    expect(call).toThrow(message);
  });

  test("the settings of undefined, and no scripts, are the defaults", () => {
    const settings = { retryCount: undefined, driftFactor: undefined };
    const { settings: made } = new Redlock([client], settings, {});
    expect(made).toEqual(redlock.settings);
  });
});

describe("calls", () => {
  const many = Array.from({ length: 65 }, (_, n) => String(n));
  const cases: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
    ["no resource", () => redlock.acquire([], 1_000), /1 to 64 resources.*got an array of 0/],
    ["too many resources", () => redlock.acquire(many, 1_000), /got an array of 65/],
    ["a resource alone", () => redlock.acquire("a" as never, 1_000), /\["account:7"\]; got "a"/],
    ["a resource of no text", () => redlock.acquire(["a", 7 as never], 1_000), /an array with 7 in it/],
    ["an empty resource", () => redlock.acquire([""], 1_000), /./],
    [
      "a short duration",
      () => redlock.acquire(["a"], 99),
      /acquire\(\)'s duration must be .* 100 to 86400000; got 99/,
    ],
    ["a fraction of a millisecond", () => redlock.acquire(["a"], 1_000.5), /whole number/],
    ["no duration", () => redlock.acquire(["a"], undefined as never), /duration/],
    [
      "an unknown setting",
      () => redlock.acquire(["a"], 1_000, { ttl: 1 } as never),
      /acquire\(\) has no option "ttl"/,
    ],
  ];
  test.each(cases)("%s", async (_, call, message) => {
    const heard: unknown[] = [];
    redlock.once("error", (error) => heard.push(error));
    const error = await failureOf(call());
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(error.message).toMatch(message);
    expect(heard).toEqual([]); // a mistake is no failure of an operation
  });
});
