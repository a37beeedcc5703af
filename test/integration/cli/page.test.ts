// What docs/cli.md tells people to type works in an empty folder.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const main = join(root, "src/cli/main.ts");

test("the first commands of docs/cli.md do what the page says", async () => {
  const [, block = ""] =
    /^```sh\nnpm install holdfast\n(.*?)^```/ms.exec(readFileSync(join(root, "docs/cli.md"), "utf8")) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "holdfast-page-"));
  writeFileSync(join(folder, "package.json"), "{}");
  const program = `'${process.execPath}' --disable-warning=ExperimentalWarning '${main}'`;
  const { HOLDFAST_URL: _url, NODE_ENV: _env, ...env } = process.env;
  const commands = block.replaceAll("npx holdfast", program);
  const { stdout } = await promisify(execFile)("sh", ["-ec", commands], { cwd: folder, env });
  expect(stdout).toContain("The store is ready: sqlite:");
  expect(stdout).toContain('"text": "hello"');
  expect(stdout).toMatch(/^greeting +\d{16} +16 +json +1 +never$/m);
  expect(stdout).toContain("It is fit for Holdfast.");
  rmSync(folder, { recursive: true, force: true });
});
