// The command line itself: help, versions, and what is refused before anything is opened.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { summaries } from "../../../src/cli/commands.ts";
import { runCli } from "../../support/cli.ts";

const file = readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8");
const { version } = JSON.parse(file) as { version: string };

test("--version prints the version of the package", async () => {
  expect(await runCli(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test("--help names every command", async () => {
  const { code, stdout } = await runCli(["--help"]);
  expect(code).toBe(0);
  for (const name of Object.keys(summaries)) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
});

test.each(Object.keys(summaries))("%s --help shows its usage, its options and an example", async (name) => {
  const { code, stdout } = await runCli([name, "--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: holdfast ${name} `);
  expect(stdout).toContain("--json");
  expect(stdout).toMatch(/^Examples:\n {2}\S/m);
});

test.each([
  [[], "Usage: holdfast COMMAND"],
  [["nonsense"], 'There is no command "nonsense"'],
  [["list"], 'There is no command "list"; holdfast ls is the one you mean.'],
  [["healthcheck"], "holdfast doctor is the one you mean."],
  [["constructor"], "holdfast --help lists the commands."],
  [["no\u001b[2Jsense"], String.raw`There is no command "no\u001b[2Jsense"`],
  [["reshard", "--nonsense"], "Unknown option '--nonsense'. See holdfast reshard --help."],
  [["reshard", "more"], 'Unexpected argument "more"'],
])("%j is wrong usage", async (args, message) => {
  const { code, stdout, stderr } = await runCli(args);
  expect(code).toBe(2);
  expect(stdout + stderr).toContain(message);
});
