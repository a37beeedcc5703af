// The text of a grant: what it says comes back, and anything else is refused without being shown.

import { describe, expect, test } from "vitest";

import { placeOf, readToken, writeToken } from "../../../src/leases/grant-token.ts";

const place = { kind: "redis", prefix: "shop:" };
const own = {
  place,
  id: 'a "b" {c} ü',
  ticket: "host+w.1:7:0123456789abcdef01234567:10000001",
  fence: 2 ** 52,
};
const of = { id: own.id, place };

/** A token of this version with other content. */
const made = (parts: unknown): string => `1.${Buffer.from(JSON.stringify(parts)).toString("base64url")}`;

describe("a token", () => {
  test("says what it was made of", () => {
    const token = writeToken(own);
    expect(token).toMatch(/^1\.[A-Za-z0-9_-]+$/);
    expect(readToken(token, of)).toEqual(own);
  });

  test.each([
    ["no text", 7],
    ["no token", "hello"],
    ["an unknown version", `0${writeToken(own)}`],
    ["no JSON", "1.abc"],
    ["no array", made({})],
    ["too few parts", made(["redis", "", own.id, own.ticket])],
    ["no ticket", made(["redis", "", own.id, "a b", 1])],
    ["no fence", made(["redis", "", own.id, own.ticket, -1])],
    ["no id", made(["redis", "", null, own.ticket, 1])],
    ["far too long", `1.${"a".repeat(10_000)}`],
  ])("that is %s is refused, and not shown", (_, token) => {
    expect(() => readToken(token, of)).toThrow(/^adopt\(\) takes the token of a grant; what it got is none/);
  });

  test("of a newer version is refused with advice", () => {
    expect(() => readToken("2.abc", of)).toThrow(/newer version of Holdfast/);
  });

  test("of another lock or store is refused, and shows no ticket", () => {
    const refusal = (other: Partial<typeof of>): string => {
      try {
        readToken(writeToken(own), { ...of, ...other });
        return "accepted";
      } catch (error) {
        return String(error);
      }
    };
    expect(refusal({ id: "other" })).toContain('not of "other"');
    expect(refusal({ place: { ...place, kind: "sqlite" } })).toContain("another store on redis");
    expect(refusal({ place: { ...place, prefix: "x:" } })).toContain('"shop:"');
    for (const message of [refusal({ id: "other" }), refusal({ place: { ...place, prefix: "x:" } })])
      expect(message).not.toContain("0123456789abcdef");
    expect(refusal({ place: { kind: "", prefix: "" } })).toBe("accepted");
  });

  test("names the kind of a store as all its targets do", () => {
    const names = [
      "redis://h:1",
      "rediss://h:1",
      "redis+sentinel://h/m",
      "rediss+cluster://h",
      "sqlite:/a",
      "memory:",
    ];
    expect(names.map((name) => placeOf(name).kind)).toEqual([
      ...Array<string>(4).fill("redis"),
      "sqlite",
      "memory",
    ]);
    expect(placeOf("mine", "p:")).toEqual({ kind: "", prefix: "p:" });
  });
});
