// The fields of package.json that say where the package lives, and the refusal to publish it without them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addressProblems, type Manifest } from "../../scripts/address.ts";

const repository = { type: "git", url: "git+https://example.org/a/holdfast.git" };
const whole = {
  repository,
  homepage: "https://example.org/a/holdfast#readme",
  bugs: "https://example.org/a/holdfast/issues",
};
const manifest = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"),
) as Manifest & {
  readonly scripts: Readonly<Record<string, string>>;
};

test("package.json is consistent, and npm asks before it publishes", () => {
  expect(addressProblems(manifest, { isPublished: false })).toEqual([]);
  expect(manifest.scripts["prepublishOnly"]).toBe("npm run package:check -- --publish");
  expect(manifest.scripts["package:check"]).toContain("scripts/check-package.ts");
});

test("a package without an address is not published", () => {
  expect(addressProblems({}, { isPublished: false })).toEqual([]);
  expect(addressProblems({}, { isPublished: true })).toHaveLength(1);
  expect(addressProblems(whole, { isPublished: true })).toEqual([]);
});

test.each<[string, Manifest]>([
  ["an address in one of them only", { bugs: whole.bugs }],
  ["another address for the issues", { ...whole, bugs: "https://example.org/b/issues" }],
  ["no homepage", { repository, bugs: whole.bugs }],
  ["a repository that is a path", { ...whole, repository: { type: "git", url: "git+file:///a.git" } }],
  ["a repository that is a text", { ...whole, repository: "a/holdfast" }],
])("refused: %s", (_what, fields) => {
  expect(addressProblems(fields, { isPublished: false })).not.toEqual([]);
});
