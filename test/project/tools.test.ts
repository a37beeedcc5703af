// docs/supported-versions.md says which versions scripts/test-on-tools.ts installs. The tools themselves are run by
// `npm run test:tools`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { bundlers } from "../../scripts/tools/bundlers.ts";
import { nestTools } from "../../scripts/tools/nest.ts";
import { next } from "../../scripts/tools/next.ts";
import { sqliteName } from "../../scripts/tools/project.ts";
import { runtimeTools } from "../../scripts/tools/runtimes.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/supported-versions.md"), "utf8");
const cells = page.split("\n").filter((line) => line.startsWith("|"));

test.each([...runtimeTools, next, ...nestTools, ...bundlers])(
  "the page has the version of $name",
  ({ name, packages }) => {
    const [first = ""] = packages;
    const row = cells.find((line) => line.toLowerCase().startsWith(`| ${name.replace(/-\d+$/, "")}`));
    expect(row).toContain(` ${first.slice(first.lastIndexOf("@") + 1)}`);
  },
);

test.each([next, ...bundlers])("the page has the line that leaves SQLite outside of $name", ({ name }) => {
  const row = cells.find((line) => line.toLowerCase().startsWith(`| ${name}`));
  expect(row?.split("|").at(-2)).toContain(sqliteName);
});
