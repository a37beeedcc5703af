// Without msgpackr, everything but holdfast/msgpack loads; and that says which package is missing.

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "holdfast-msgpack-"));
beforeAll(() => {
  cpSync(join(import.meta.dirname, "../../../../dist"), join(folder, "dist"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (code: string): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder });

test.each([
  ["an ES module", `import("./dist/INDEX.js")`],
  [
    "CommonJS",
    `import { createRequire } from "node:module"; (async () => createRequire(process.cwd() + "/x.cjs")("./dist/cjs/INDEX.js"))()`,
  ],
])("[P2] in %s", async (_, load) => {
  const shown = `.then(() => console.log("loaded"), (error) => console.log(error.message))`;
  const index = await run(load.replace("INDEX", "index") + shown);
  expect(index.stdout).toBe("loaded\n");
  const msgpack = await run(load.replace("INDEX", "msgpack") + shown);
  expect(msgpack.stdout).toMatch(/^Cannot find (package|module) 'msgpackr'/);
});
