// Which package.json counts: that of a package of its own, or that of the workspace that lists it.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { projectFolder } from "../../../src/opening/workspace.ts";

let root: string;
beforeEach(() => void (root = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-workspace-")))));
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function workspaces(patterns: unknown): void {
  write("package.json", JSON.stringify({ workspaces: patterns }));
}

/** Whether a package there belongs to the workspace. */
function isMember(path: string): boolean {
  write(`${path}/package.json`, "{}");
  const folder = projectFolder(join(root, path, "src/deep"));
  expect([root, join(root, path)]).toContain(folder);
  return folder === root;
}

test("without a package.json above, it is the folder itself", () => {
  mkdirSync(join(root, "a/b"), { recursive: true });
  expect(projectFolder(join(root, "a/b"))).toBe(join(root, "a/b"));
});

test.each([
  [["packages/*"], "packages/a", true],
  [["./packages/*/"], "packages/a", true],
  [["packages/*"], "packages/a/b", false],
  [["packages/**"], "packages/a/b", true],
  [["**/web"], "web", true],
  [["apps/web", "packages/*"], "apps/web", true],
  [["apps/{web,api}"], "apps/api", true],
  [["apps/we?"], "apps/web", true],
  [["a.b/*"], "aXb/c", false],
  [["packages/*", "!packages/a"], "packages/a", false],
  [["packages/*", "!packages/b"], "packages/a", true],
  [["{packages/*"], "packages/a", false],
  [{ packages: ["packages/*"] }, "packages/a", true],
  [["other"], "packages/a", false],
  ["packages/*", "packages/a", false],
  [[5, null], "packages/a", false],
  [undefined, "packages/a", false],
])("workspaces %j list %s: %s", (patterns, path, expected) => {
  workspaces(patterns);
  expect(isMember(path)).toBe(expected);
});

test.each([
  ["packages:\n  - 'packages/*'\n  - \"apps/**\"\n", true],
  ["# ours\npackages:\n- packages/* # all\n", true],
  ["catalog:\n  react: 19\npackages:\r\n  # libraries\r\n\r\n  - packages/*\r\nother:\r\n  - x\r\n", true],
  ['packages: ["apps/*", "packages/*"]\n', true],
  ["packages:\n  - packages/*\n  - '!packages/a'", false],
  ["onlyBuiltDependencies:\n  - packages/*\n", false],
  ["packages:\n", false],
  ["", false],
])("pnpm-workspace.yaml %j: %s", (yaml, expected) => {
  write("package.json", "{}");
  write("pnpm-workspace.yaml", yaml);
  expect(isMember("packages/a")).toBe(expected);
});

test("lerna.json lists packages as well", () => {
  write("package.json", "{}");
  write("lerna.json", JSON.stringify({ packages: ["modules/*"] }));
  expect(isMember("modules/a")).toBe(true);
  expect(isMember("packages/a")).toBe(false);
});

test("files that cannot be parsed list nothing", () => {
  write("package.json", '{ "workspaces": ["packages/*"], ');
  expect(isMember("packages/a")).toBe(false);
});

test("the root itself, and a folder of it that is no package, belong to it", () => {
  workspaces(["packages/*"]);
  mkdirSync(join(root, "scripts"));
  expect(projectFolder(root)).toBe(root);
  expect(projectFolder(join(root, "scripts"))).toBe(root);
});

test("a package between that is no workspace does not hide the root", () => {
  workspaces(["packages/**"]);
  write("packages/a/package.json", "{}");
  expect(isMember("packages/a/plugins/b")).toBe(true);
});
